"""Who acts: the scope of a member, for sign-in, invitations, commands and jobs that act in somebody's name."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.models import Membership, Tenant
from zena.accounts.permissions import permissions_of
from zena.kit.errors import NotFound
from zena.kit.scope import Identity, Scope


async def member_scope(
    session: AsyncSession,
    *,
    tenant: UUID,
    user: UUID,
    at: datetime,
    identity: Identity | None = None,
    ip: str | None = None,
) -> Scope:
    """Return what this person may do in the firm the session is bound to; NotFound unless they belong to it."""
    found = await session.execute(
        select(Tenant, Membership.id, Membership.role)
        .join(Membership, Membership.tenant_id == Tenant.id)
        .where(Tenant.id == tenant, Membership.user_id == user, Membership.ended_at.is_(None))
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound
    firm, member, role = row
    return Scope(
        tenant=firm.id,
        member=member,
        user=user,
        role=role,
        permissions=permissions_of(role),
        timezone=firm.timezone,
        locale=(identity and identity.locale) or firm.locale,
        currency=firm.currency,
        tenant_name=firm.name,
        tenant_slug=firm.slug,
        identity=identity,
        request_id=identity.request_id if identity else "",
        ip=identity.ip if identity else ip,
        at=at,
    )
