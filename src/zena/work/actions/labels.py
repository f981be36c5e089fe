"""The firm's labels."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Invalid, NotFound
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.kit.text import clean_name
from zena.work.change import change
from zena.work.events import LabelChanged
from zena.work.fields import check_range, check_version
from zena.work.models import Label

MAX_LABELS = 500
HUES = 12
NAME_LENGTH = 50
_UNLABEL = text(
    "WITH gone AS (DELETE FROM task_label WHERE tenant_id = :tenant AND label_id = :label RETURNING task_id)"
    " UPDATE task t SET label_ids = array_remove(t.label_ids, :label), version = t.version + 1, updated_at = :at"
    " FROM gone WHERE t.tenant_id = :tenant AND t.id = gone.task_id"
)


async def create_label(session: AsyncSession, scope: Scope, *, name: str, hue: int = 0) -> Label:
    """Add a label; names are unique in the firm, upper and lower case alike."""
    scope.require(Permission.LABELS_MANAGE)
    async with change(session, scope) as made:
        query = select(func.count()).select_from(Label).where(Label.tenant_id == scope.tenant)
        if (await session.scalar(query) or 0) >= MAX_LABELS:
            raise Invalid(detail=N_("A firm has at most %(most)s labels.", most=MAX_LABELS), code="QUOTA_EXCEEDED")
        label = Label(tenant_id=scope.tenant, id=new_id(), version=1, **_checked(name=name, hue=hue))
        session.add(label)
        await _flush(session, label.name)
        made.record(LabelChanged(subject=label.id, name=label.name, change="created"))
        return label


async def update_label(
    session: AsyncSession,
    scope: Scope,
    *,
    label_id: UUID,
    version: int | None = None,
    **changes: Any,
) -> Label:
    """Change a label's `name` or `hue`; a stale version is refused with the current row."""
    label = await access_label(session, scope, label_id)
    check_version(label, version)
    values = {field: value for field, value in _checked(**changes).items() if getattr(label, field) != value}
    if not values:
        return label
    async with change(session, scope) as made:
        before = {field: getattr(label, field) for field in values}
        for field, value in values.items():
            setattr(label, field, value)
        label.version += 1
        await _flush(session, label.name)
        made.record(LabelChanged(subject=label.id, name=label.name, change="updated"), before=before, after=values)
        return label


async def delete_label(session: AsyncSession, scope: Scope, *, label_id: UUID) -> None:
    """Take a label away from the firm and from every task."""
    label = await access_label(session, scope, label_id)
    async with change(session, scope) as made:
        await session.execute(_UNLABEL, {"tenant": scope.tenant, "label": label.id, "at": scope.at})
        made.record(LabelChanged(subject=label.id, name=label.name, change="deleted"))
        await session.delete(label)


async def access_label(session: AsyncSession, scope: Scope, label_id: UUID) -> Label:
    """Fetch a label to change it, locked."""
    query = select(Label).where(Label.tenant_id == scope.tenant, Label.id == label_id).with_for_update()
    label: Label | None = await session.scalar(query.execution_options(populate_existing=True))
    if label is None:
        raise NotFound.of("label", label_id)
    scope.require(Permission.LABELS_MANAGE)
    return label


async def _flush(session: AsyncSession, name: str) -> None:
    try:
        async with session.begin_nested():
            await session.flush()
    except IntegrityError as error:
        raise Invalid.field("name", N_("There is a label called %(name)s already.", name=name), "taken") from error


def _checked(**values: Any) -> dict[str, Any]:
    if "name" in values:
        values["name"] = clean_name(values["name"], "name", NAME_LENGTH)
        values["name_key"] = values["name"].casefold()
    check_range(values, "hue", 0, HUES - 1)
    return values
