"""The firm's labels."""

from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.scope import Scope
from zena.kit.uow import Reader
from zena.kit.versions import etag, wanted_version
from zena.work.actions.labels import create_label, delete_label, update_label
from zena.work.api.answers import AnyRequest, answers, json_answer
from zena.work.api.bodies import LabelChanges, NewLabel
from zena.work.models import Label
from zena.work.queries.labels import all_labels
from zena.work.queries.shapes import LabelRow

LABEL = "/api/v1/app/labels/{label_id:uuid}"


class Labels(msgspec.Struct, frozen=True):
    """Every label of the firm, by name."""

    data: list[LabelRow]


@get("/api/v1/app/labels", opt=may(Permission.TASKS_VIEW), responses=answers(Labels))
async def label_list(reader: Reader) -> Response[bytes]:
    """The labels of the firm."""
    return json_answer(await all_labels(reader.conn, reader.scope))


@post("/api/v1/app/labels", opt=may(Permission.LABELS_MANAGE))
async def new_label(session: AsyncSession, actor: Scope, data: NewLabel) -> Response[LabelRow]:
    """Add a label."""
    return _shown(await create_label(session, actor, name=data.name, hue=data.hue), 201)


@patch(LABEL, opt=may(Permission.LABELS_MANAGE))
async def change_label(
    request: AnyRequest, session: AsyncSession, actor: Scope, label_id: FromPath[UUID], data: LabelChanges
) -> Response[LabelRow]:
    """Rename a label or give it another colour."""
    version = wanted_version(request)
    return _shown(await update_label(session, actor, label_id=label_id, version=version, **data.given()), 200)


@delete(LABEL, opt=may(Permission.LABELS_MANAGE))
async def remove_label(session: AsyncSession, actor: Scope, label_id: FromPath[UUID]) -> None:
    """Take a label away from the firm and from every task."""
    await delete_label(session, actor, label_id=label_id)


def _shown(label: Label, status: int) -> Response[LabelRow]:
    row = LabelRow(id=label.id, name=label.name, hue=label.hue, version=label.version)
    return Response(row, status_code=status, headers=etag(label.version))


ROUTES = [label_list, new_label, change_label, remove_label]
