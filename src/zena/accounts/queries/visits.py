"""Visits of support to a firm, as the firm sees them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.events import SupportLooked
from zena.accounts.models import AuditEntry, SupportVisit
from zena.kit.pages import Key, Value, after, order_by
from zena.kit.scope import Scope

KEYS: Final = (Key(SupportVisit.began_at, descending=True), Key(SupportVisit.id, descending=True))
#: So many things somebody opened are listed of one visit; all of them stand in the record.
MOST: Final = 100


class Opened(msgspec.Struct, frozen=True):
    """What a visitor asked for: method and path, ISO 8601 instant."""

    at: str
    opened: str


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One visit. It is open while `ended_at` is null; `opened` are the latest things asked for, newest first."""

    id: UUID
    operator_name: str
    reason: str
    began_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    ended_how: str | None
    opened: list[Opened]


async def visit_page(session: AsyncSession, scope: Scope, *, limit: int, values: Sequence[Value] = ()) -> list[Visit]:
    """Return at most `limit + 1` visits, newest first."""
    wanted = select(SupportVisit).where(SupportVisit.tenant_id == scope.tenant)
    if values:
        wanted = wanted.where(after(KEYS, values))
    rows = (await session.scalars(wanted.order_by(*order_by(KEYS)).limit(limit + 1))).all()
    return [_visit(row, await _opened(session, scope, row.id)) for row in rows]


async def _opened(session: AsyncSession, scope: Scope, visit: UUID) -> list[Opened]:
    entries = await session.execute(
        select(AuditEntry.at, AuditEntry.after["opened"].astext)
        .where(AuditEntry.tenant_id == scope.tenant, AuditEntry.subject_id == visit)
        .where(AuditEntry.action == SupportLooked.type)
        .order_by(AuditEntry.position.desc())
        .limit(MOST)
    )
    return [Opened(at, opened) for at, opened in entries]


def _visit(row: SupportVisit, opened: list[Opened]) -> Visit:
    return Visit(
        id=row.id,
        operator_name=row.operator_name,
        reason=row.reason,
        began_at=row.began_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        ended_how=row.ended_how,
        opened=opened,
    )
