"""Who belongs to a firm."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.models import Membership, UserAccount
from zena.accounts.permissions import Permission
from zena.kit.pages import Key, Value, after, order_by
from zena.kit.scope import Scope

KEYS = (Key(UserAccount.sort_key), Key(Membership.id))


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person in a firm. The last three are told only to those who manage members."""

    id: UUID
    user: UUID
    name: str
    email: str
    role: str
    joined_at: datetime
    ended_at: datetime | None
    version: int
    last_login_at: datetime | msgspec.UnsetType | None = msgspec.UNSET
    second_factor: bool | msgspec.UnsetType = msgspec.UNSET
    is_active: bool | msgspec.UnsetType = msgspec.UNSET


class MemberRow(msgspec.Struct, frozen=True):
    """A member with the sort key its page's cursor needs."""

    member: Member
    sort_key: str


async def member_page(  # noqa: PLR0913 - the filters of one list
    session: AsyncSession,
    scope: Scope,
    *,
    limit: int,
    values: Sequence[Value] = (),
    q: str | None = None,
    role: str | None = None,
    ended: bool = False,
) -> list[MemberRow]:
    """Return at most `limit + 1` members by name, those who belong to the firm or those who did."""
    wanted = _members(scope).where(Membership.ended_at.is_not(None) if ended else Membership.ended_at.is_(None))
    if q:
        wanted = wanted.where(
            or_(UserAccount.name.icontains(q, autoescape=True), UserAccount.email.icontains(q, autoescape=True))
        )
    if role:
        wanted = wanted.where(Membership.role == role)
    if values:
        wanted = wanted.where(after(KEYS, values))
    rows = await session.execute(wanted.order_by(*order_by(KEYS)).limit(limit + 1))
    return [MemberRow(_member(membership, person, scope), person.sort_key) for membership, person in rows]


async def find_member(session: AsyncSession, scope: Scope, member: UUID) -> Member | None:
    """Return one member of the firm, ended or not."""
    row = (await session.execute(_members(scope).where(Membership.id == member))).one_or_none()
    return _member(row[0], row[1], scope) if row else None


async def count_roles(session: AsyncSession, scope: Scope) -> dict[str, int]:
    """Return how many present members hold each role."""
    rows = await session.execute(
        select(Membership.role, func.count())
        .where(Membership.tenant_id == scope.tenant, Membership.ended_at.is_(None))
        .group_by(Membership.role)
    )
    return {role: int(count) for role, count in rows}


def _members(scope: Scope) -> Select[Membership, UserAccount]:
    return (
        select(Membership, UserAccount)
        .join(UserAccount, UserAccount.id == Membership.user_id)
        .where(Membership.tenant_id == scope.tenant)
    )


def _member(membership: Membership, person: UserAccount, scope: Scope) -> Member:
    shown = Member(
        id=membership.id,
        user=person.id,
        name=person.name,
        email=person.email,
        role=membership.role,
        joined_at=membership.joined_at,
        ended_at=membership.ended_at,
        version=membership.version,
    )
    if not scope.may(Permission.MEMBERS_MANAGE):
        return shown
    return msgspec.structs.replace(
        shown,
        last_login_at=person.last_login_at,
        second_factor=person.totp_confirmed_at is not None,
        is_active=person.is_active,
    )
