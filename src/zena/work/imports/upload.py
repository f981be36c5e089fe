"""What page and API share when a file comes in."""

from collections.abc import AsyncIterator

from litestar.datastructures import FormMultiDict, UploadFile

from zena.kit.csrf import TOKEN_FIELD
from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.kit.state import State
from zena.work.imports.actions import Intake

CHUNK = 256 * 1024
_FIELDS = frozenset({"file", TOKEN_FIELD})


def intake_of(state: State) -> Intake:
    return Intake(state.storage, state.settings.import_max_rows, state.settings.import_max_bytes)


def sent_file(form: FormMultiDict) -> UploadFile:
    """Return the one file of a form; refuse a form without it, with several, or with anything else."""
    unknown = sorted(set(form) - _FIELDS)
    if unknown:
        raise Invalid.field(unknown[0], N_("This field cannot be set."), "unknown")
    values = form.getall("file", [])
    if len(values) > 1:
        raise Invalid.field("file", N_("Give this once."), "repeated")
    if not values or not isinstance(values[0], UploadFile) or not values[0].filename:
        raise Invalid.field("file", N_("Choose a file."), "required")
    return values[0]


async def chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk
