"""What was done in a firm, and whether the record of it is whole."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.models import AuditEntry, EventEntry, Membership, TenantHead, UserAccount
from zena.kit.events import audit_digest
from zena.kit.pages import Key, Value, after, order_by
from zena.kit.scope import Scope

KEYS = (Key(AuditEntry.position, descending=True),)

#: What the first entry of a chain hashes as its predecessor.
START = b"\x00"
_BATCH = 1_000
_CALLED = func.coalesce(EventEntry.payload["key"].astext, EventEntry.payload["name"].astext)
_SUBJECT_NAME = (
    select(_CALLED)
    .where(EventEntry.tenant_id == AuditEntry.tenant_id, EventEntry.subject_id == AuditEntry.subject_id)
    .where(_CALLED.is_not(None))
    .order_by(EventEntry.position.desc())
    .limit(1)
    .correlate(AuditEntry)
    .scalar_subquery()
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the record. `actor` is None for the system itself.

    `subject_name` is what the firm's events last called the subject: a task's key, a label's name; None if nothing did.
    """

    position: int
    id: UUID
    at: str
    actor: UUID | None
    actor_name: str | None
    action: str
    subject_type: str
    subject_id: UUID
    subject_name: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    ip: str | None
    request_id: str | None


class ChainReport(msgspec.Struct, frozen=True):
    """The verdict on a chain: `first_bad` is the position of the first entry that does not fit, with the reason."""

    intact: bool
    checked: int
    first_bad: int | None = None
    reason: str | None = None


async def audit_page(  # noqa: PLR0913 - the filters of one list
    session: AsyncSession,
    scope: Scope,
    *,
    limit: int,
    values: Sequence[Value] = (),
    action: str | None = None,
    actor: UUID | None = None,
    subject: UUID | None = None,
) -> list[Entry]:
    """Return at most `limit + 1` entries, newest first. `action` may end in a dot: everything of that kind."""
    wanted = (
        select(AuditEntry, UserAccount.name, _SUBJECT_NAME)
        .outerjoin(Membership, (Membership.tenant_id == AuditEntry.tenant_id) & (Membership.id == AuditEntry.actor))
        .outerjoin(UserAccount, UserAccount.id == Membership.user_id)
        .where(AuditEntry.tenant_id == scope.tenant)
    )
    if action:
        kind = AuditEntry.action.startswith(action, autoescape=True)
        wanted = wanted.where(kind if action.endswith(".") else AuditEntry.action == action)
    if actor:
        wanted = wanted.where(AuditEntry.actor == actor)
    if subject:
        wanted = wanted.where(AuditEntry.subject_id == subject)
    if values:
        wanted = wanted.where(after(KEYS, values))
    rows = await session.execute(wanted.order_by(*order_by(KEYS)).limit(limit + 1))
    return [_entry(row, name, subject) for row, name, subject in rows]


async def verify_chain(session: AsyncSession, tenant: UUID) -> ChainReport:
    """Recompute the audit chain of the tenant the session is bound to, from its first entry to its head (J06)."""
    # allow: session-get - the head of the tenant the session is bound to, read by a job
    head = await session.get_one(TenantHead, tenant, populate_existing=True)
    link, position = START, 0
    while rows := await batch(session, tenant, position, head.audit_position):
        for row in rows:
            reason = _fault(row, position + 1, link, tenant)
            if reason:
                return ChainReport(intact=False, checked=position, first_bad=position + 1, reason=reason)
            link, position = row.hash, row.position
    if position != head.audit_position or link != head.audit_hash:
        return ChainReport(intact=False, checked=position, first_bad=position + 1, reason="entries are cut off")
    return ChainReport(intact=True, checked=position)


async def batch(session: AsyncSession, tenant: UUID, position: int, last: int) -> Sequence[Row[Any]]:
    """Return the next entries of a chain after a position, up to the last one that counts."""
    rows = await session.execute(
        select(*AuditEntry.__table__.columns)
        .where(AuditEntry.tenant_id == tenant, AuditEntry.position > position, AuditEntry.position <= last)
        .order_by(AuditEntry.position)
        .limit(_BATCH)
    )
    return rows.all()


def _fault(row: Row[Any], position: int, link: bytes, tenant: UUID) -> str | None:
    if row.position != position:
        return "an entry is missing"
    if row.prev_hash != link:
        return "it does not follow the entry before it"
    digest = bytes.fromhex(audit_digest(str(tenant), canonical(row)))
    if digest != row.digest:
        return "its content was changed"
    if hashlib.sha256(link + digest).digest() != row.hash:
        return "its hash was changed"
    return None


def canonical(row: Row[Any]) -> dict[str, Any]:
    """Return what an entry's digest is made of."""
    return {
        "id": str(row.id),
        "actor": row.actor and str(row.actor),
        "action": row.action,
        "subject_type": row.subject_type,
        "subject_id": str(row.subject_id),
        "before": row.before,
        "after": row.after,
        "at": row.at,
    }


def _entry(row: AuditEntry, name: str | None, subject: str | None) -> Entry:
    return Entry(
        position=row.position,
        id=row.id,
        at=row.at,
        actor=row.actor,
        actor_name=name,
        action=row.action,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        subject_name=subject,
        before=row.before,
        after=row.after,
        ip=row.ip,
        request_id=row.request_id,
    )
