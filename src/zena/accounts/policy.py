"""Who may do what to whom in a firm. Objects are fetched here only: fetched, authorized and locked in one step."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.models import ApiToken, Invitation, Membership
from zena.accounts.permissions import Permission, Role
from zena.kit.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from zena.kit.i18n import N_
from zena.kit.scope import Identity, Scope

#: For how long after a password (and a code) sensitive things can be changed without asking again.
FRESH: Final = timedelta(minutes=10)
_RANK: Final = {role: place for place, role in enumerate(Role)}


async def access_member(session: AsyncSession, scope: Scope, member: UUID) -> Membership:
    """Return a present member, locked, whom the actor may change; owners are changed by owners only."""
    scope.require(Permission.MEMBERS_MANAGE)
    found = await locked_member(session, scope, member)
    check_reach(scope, found.role)
    return found


async def locked_member(session: AsyncSession, scope: Scope, member: UUID) -> Membership:
    """Return a present member, with the firm's owners locked before: whatever ends an owner queues up behind it."""
    await _lock_owners(session, scope)
    found: Membership | None = await session.scalar(
        select(Membership)
        .where(Membership.tenant_id == scope.tenant, Membership.id == member, Membership.ended_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound.of("member", member)
    return found


async def access_invitation(session: AsyncSession, scope: Scope, invitation: UUID) -> Invitation:
    """Return a pending invitation, locked, that the actor may change."""
    scope.require(Permission.MEMBERS_MANAGE)
    found: Invitation | None = await session.scalar(
        select(Invitation)
        .where(Invitation.tenant_id == scope.tenant, Invitation.id == invitation)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound.of("invitation", invitation)
    check_reach(scope, found.role)
    if found.state != "pending":
        raise Conflict(N_("This invitation is no longer open."), code="INVITATION_CLOSED")
    return found


async def access_token(session: AsyncSession, scope: Scope, token: UUID) -> ApiToken:
    """Return a token, locked, that the actor may revoke: one's own, or anybody's for those who manage tokens."""
    found: ApiToken | None = await session.scalar(
        select(ApiToken)
        .where(ApiToken.tenant_id == scope.tenant, ApiToken.id == token, ApiToken.revoked_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound.of("token", token)
    if found.member_id != scope.member:
        scope.require(Permission.TOKENS_MANAGE)
    return found


async def check_another_owner(session: AsyncSession, scope: Scope, leaving: UUID) -> None:
    """Refuse to lose the last owner. The owners' rows are locked already (`locked_member`)."""
    others = select(func.count()).where(
        Membership.tenant_id == scope.tenant,
        Membership.role == Role.OWNER,
        Membership.ended_at.is_(None),
        Membership.id != leaving,
    )
    if not await session.scalar(others):
        raise Conflict(N_("The firm would have no owner left. Make somebody else an owner first."), code="LAST_OWNER")


def check_role(scope: Scope, role: str, field: str = "role") -> Role:
    """Return the role if the actor may give it: none above their own, and only an owner makes an owner."""
    try:
        wanted = Role(role)
    except ValueError:
        choices = ", ".join(Role)
        raise Invalid.field(field, N_("One of %(choices)s.", choices=choices), "choice") from None
    check_reach(scope, wanted)
    return wanted


def check_reach(scope: Scope, role: str) -> None:
    """Refuse to touch what stands above the actor."""
    if role == Role.OWNER:
        scope.require(Permission.OWNERSHIP_TRANSFER)
    if _RANK[Role(role)] < _RANK[Role(scope.role)]:
        raise Forbidden(Permission.MEMBERS_MANAGE)


def grantable_roles(scope: Scope) -> list[Role]:
    """Return the roles the actor may give, for forms."""
    top = Role.OWNER if scope.may(Permission.OWNERSHIP_TRANSFER) else Role.ADMIN
    return [role for role in Role if _RANK[role] >= max(_RANK[top], _RANK[Role(scope.role)])]


def check_browser(identity: Identity) -> UUID:
    """Return the session; refuse API tokens, which act in their firm only and never for the person as such."""
    if identity.session is None:
        raise Forbidden(detail=N_("An API token cannot do this. Sign in with a browser."), code="SESSION_REQUIRED")
    return identity.session


def is_fresh(identity: Identity, now: datetime) -> bool:
    """Tell whether the person proved who they are a short while ago."""
    at = identity.authenticated_at
    return identity.session is not None and at is not None and now - at < FRESH


def check_fresh(identity: Identity, now: datetime) -> None:
    """Refuse sensitive changes until the person has proved again who they are (ASVS 7.5.1)."""
    check_browser(identity)
    if not is_fresh(identity, now):
        raise Forbidden(detail=N_("Please confirm your password first."), code="CONFIRMATION_REQUIRED")


def check_version(row: Any, seen: int | None, **current: Any) -> None:
    """Refuse a change that was made on an older version than the present one; `current` is shown to the caller."""
    if seen is not None and seen != row.version:
        message = N_(
            "Somebody changed this meanwhile. You saw version %(seen)s, it is now %(now)s.", seen=seen, now=row.version
        )
        raise Stale(message, details={"current": {**current, "version": row.version}})


async def _lock_owners(session: AsyncSession, scope: Scope) -> None:
    """Lock the owners in one order, then look again at who acts: their role may have changed while they waited."""
    await session.execute(
        select(Membership.id)
        .where(Membership.tenant_id == scope.tenant, Membership.role == Role.OWNER, Membership.ended_at.is_(None))
        .order_by(Membership.id)
        .with_for_update()
    )
    acting = select(Membership.role).where(
        Membership.tenant_id == scope.tenant, Membership.id == scope.member, Membership.ended_at.is_(None)
    )
    if await session.scalar(acting) != scope.role:
        raise Forbidden(Permission.MEMBERS_MANAGE)
