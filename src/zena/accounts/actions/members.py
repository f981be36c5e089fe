"""Who belongs to a firm, as what, and until when."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.events import MemberJoined, MembershipEnded, OwnershipTransferred, RoleChanged
from zena.accounts.models import ApiToken, Membership
from zena.accounts.permissions import Permission, Role
from zena.accounts.policy import (
    access_member,
    check_another_owner,
    check_browser,
    check_fresh,
    check_role,
    check_version,
    locked_member,
)
from zena.kit.errors import Conflict, Forbidden
from zena.kit.events import record
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Identity, Scope

_END_SESSIONS: Final = text("SELECT gate.end_member_sessions(:member)")


async def add_member(session: AsyncSession, scope: Scope, *, user: UUID, role: str) -> Membership:
    """Make somebody a member, or again one; Conflict ALREADY_MEMBER while they are.

    Who may is decided by the caller: an accepted invitation, a command of the operator.
    """
    found = await session.scalar(
        select(Membership)
        .where(Membership.tenant_id == scope.tenant, Membership.user_id == user)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is not None and found.ended_at is None:
        raise Conflict(N_("This person is a member already."), code="ALREADY_MEMBER")
    if found is None:
        found = Membership(tenant_id=scope.tenant, id=new_id(), user_id=user, version=1)
        session.add(found)
    else:
        found.joined_at, found.version = func.now(), found.version + 1
    found.role, found.ended_at = Role(role), None
    await session.flush()
    acting = scope if scope.member else replace(scope, member=found.id)  # who comes by an invitation acts already
    record(session, acting, MemberJoined(subject=found.id, user=user, role=role), after={"role": role})
    return found


async def change_role(
    session: AsyncSession, scope: Scope, *, member: UUID, role: str, version: int | None = None
) -> Membership:
    """Give a member another role; they sign in anew. Nobody changes their own: ownership is transferred instead."""
    found = await access_member(session, scope, member)
    wanted = check_role(scope, role)
    check_version(found, version, id=str(found.id), role=found.role)
    if found.id == scope.member:
        raise Forbidden(detail=N_("Nobody changes their own role."), code="OWN_ROLE")
    if found.role != wanted:
        await _set_role(session, scope, found, wanted)
    return found


async def end_membership(session: AsyncSession, scope: Scope, *, member: UUID) -> None:
    """Remove a member: their sessions no longer act here and their tokens are dead. What they did stays theirs."""
    found = await access_member(session, scope, member)
    if found.id == scope.member:
        raise Forbidden(detail=N_("Leave the firm instead of removing yourself."), code="OWN_ROLE")
    await _end(session, scope, found, left=False)


async def leave_tenant(session: AsyncSession, scope: Scope, identity: Identity) -> None:
    """End one's own membership; the last owner stays."""
    check_browser(identity)
    if scope.member is None:
        raise Forbidden
    await _end(session, scope, await locked_member(session, scope, scope.member), left=True)


async def transfer_ownership(session: AsyncSession, scope: Scope, identity: Identity, *, member: UUID) -> None:
    """Make another member owner and oneself admin, in one step, shortly after confirming who one is."""
    scope.require(Permission.OWNERSHIP_TRANSFER)
    check_fresh(identity, scope.at)
    if scope.member is None or member == scope.member:
        raise Conflict(N_("You are the owner already."), code="OWN_ROLE")
    new = await locked_member(session, scope, member)
    former = await locked_member(session, scope, scope.member)
    if new.role != Role.OWNER:
        await _set_role(session, scope, new, Role.OWNER)
    await _set_role(session, scope, former, Role.ADMIN, end_sessions=False)
    transferred = OwnershipTransferred(subject=scope.tenant, new_owner=new.id, former_owner=former.id)
    record(session, scope, transferred)


async def _set_role(
    session: AsyncSession, scope: Scope, found: Membership, role: Role, *, end_sessions: bool = True
) -> None:
    before = found.role
    found.role = role
    found.version += 1
    await session.flush()
    if before == Role.OWNER:
        await check_another_owner(session, scope, found.id)
    if end_sessions:
        await session.execute(_END_SESSIONS, {"member": found.id})
    changed = RoleChanged(subject=found.id, user=found.user_id, role=role)
    record(session, scope, changed, before={"role": before}, after={"role": str(role)})


async def _end(session: AsyncSession, scope: Scope, found: Membership, *, left: bool) -> None:
    if found.role == Role.OWNER:
        await check_another_owner(session, scope, found.id)
    found.ended_at = func.now()
    found.version += 1
    await session.flush()
    await session.execute(
        update(ApiToken)
        .where(ApiToken.tenant_id == scope.tenant, ApiToken.member_id == found.id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )
    ended = MembershipEnded(subject=found.id, user=found.user_id, left=left)
    record(session, scope, ended, before={"role": found.role})
