"""What page and API share when a file comes in."""

from collections.abc import AsyncIterator

from litestar.datastructures import UploadFile

from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.kit.state import State
from zena.work.imports.actions import Intake

CHUNK = 256 * 1024


def intake_of(state: State) -> Intake:
    return Intake(state.storage, state.settings.import_max_rows, state.settings.import_max_bytes)


def sent_file(value: object) -> UploadFile:
    """Return the uploaded file of a form field; refuse a field that holds none."""
    if not isinstance(value, UploadFile) or not value.filename:
        raise Invalid.field("file", N_("Choose a file."), "required")
    return value


async def chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk
