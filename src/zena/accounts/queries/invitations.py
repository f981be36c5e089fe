"""Offers to join."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.models import Invitation, Tenant
from zena.accounts.secrecy import digest
from zena.kit.pages import Key, Value, after, order_by
from zena.kit.scope import Scope
from zena.kit.uow import enter_tenant

KEYS = (Key(Invitation.created_at, descending=True), Key(Invitation.id, descending=True))

_FIND = text("SELECT tenant_id, id FROM gate.invitation(:hash)")


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation as its firm sees it."""

    id: UUID
    email: str
    role: str
    state: str
    created_at: datetime
    expires_at: datetime
    invited_by: UUID | None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation as whoever holds its link sees it."""

    id: UUID
    tenant: UUID
    tenant_name: str
    email: str
    role: str
    expires_at: datetime
    locale: str


async def offer_page(
    session: AsyncSession, scope: Scope, *, limit: int, values: Sequence[Value] = (), state: str | None = None
) -> list[Offer]:
    """Return at most `limit + 1` invitations, newest first."""
    wanted = select(Invitation).where(Invitation.tenant_id == scope.tenant)
    if state == "pending":
        wanted = wanted.where(Invitation.state == "pending", Invitation.expires_at > func.now())
    elif state:
        wanted = wanted.where(Invitation.state == state)
    if values:
        wanted = wanted.where(after(KEYS, values))
    rows = await session.scalars(wanted.order_by(*order_by(KEYS)).limit(limit + 1))
    return [offer_of(row) for row in rows]


def offer_of(row: Invitation) -> Offer:
    return Offer(
        id=row.id,
        email=row.email,
        role=row.role,
        state=row.state,
        created_at=row.created_at,
        expires_at=row.expires_at,
        invited_by=row.invited_by,
    )


async def open_invitation(session: AsyncSession, token: str, user: UUID | None, *, lock: bool = False) -> Opened | None:
    """Return the pending invitation behind a link and bind the transaction to its firm; None for any other link."""
    place = (await session.execute(_FIND, {"hash": digest(token)})).one_or_none()
    if place is None:
        return None
    await enter_tenant(session, place.tenant_id, user)
    wanted = (
        select(Invitation, Tenant.name, Tenant.locale)
        .join(Tenant, Tenant.id == Invitation.tenant_id)
        .where(
            Invitation.tenant_id == place.tenant_id,
            Invitation.id == place.id,
            Invitation.state == "pending",
            Invitation.expires_at > func.now(),
            Tenant.status.in_(("active", "trial")),
        )
    )
    found = (await session.execute(wanted.with_for_update(of=Invitation) if lock else wanted)).one_or_none()
    if found is None:
        return None
    row, firm, locale = found
    return Opened(
        id=row.id,
        tenant=row.tenant_id,
        tenant_name=firm,
        email=row.email,
        role=row.role,
        expires_at=row.expires_at,
        locale=locale,
    )
