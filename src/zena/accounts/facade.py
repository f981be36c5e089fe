"""What other slices, commands and tests may use of accounts. Nothing else of this package is imported from outside."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.borrowed import Borrowed, borrow_session, give_back
from zena.accounts.actions.chain import restart_chain
from zena.accounts.actions.firms import check_slug, create_tenant
from zena.accounts.actions.members import add_member as _add_member
from zena.accounts.actions.passwords import make_link, make_reset_link
from zena.accounts.actions.people import create_user as _create_user
from zena.accounts.actions.resealing import Resealed, reseal, sealed_under
from zena.accounts.actions.set_up import make_set_up_link
from zena.accounts.actions.visits import LIMITS as VISIT_LIMITS
from zena.accounts.actions.visits import Wish, begin_visit, end_visit, installation
from zena.accounts.cookies import session_cookie
from zena.accounts.credentials import cookie_name
from zena.accounts.doorman import Keeper
from zena.accounts.entry import Entered
from zena.accounts.passwords import hash_password
from zena.accounts.permissions import Permission, Role, permissions_of
from zena.accounts.queries.actors import member_scope
from zena.accounts.queries.audit import ChainReport, verify_chain
from zena.accounts.queries.people import user_by_email
from zena.accounts.queries.standing import Person, chain, person_at
from zena.accounts.step_up import StepUp, missing_step
from zena.kit.db import Database, Raw, raw
from zena.kit.errors import NotFound
from zena.kit.scope import Scope
from zena.kit.templates import initials
from zena.kit.uow import enter_tenant, unit_of_work

__all__ = [
    "VISIT_LIMITS",
    "Borrowed",
    "ChainReport",
    "Entered",
    "Keeper",
    "MemberCard",
    "Permission",
    "Person",
    "Resealed",
    "Role",
    "StepUp",
    "TeamNumbers",
    "Wish",
    "add_member",
    "begin_visit",
    "borrow_session",
    "chain",
    "check_slug",
    "command_actor",
    "cookie_name",
    "create_tenant",
    "create_user",
    "end_visit",
    "find_member_by_email",
    "give_back",
    "hash_password",
    "installation",
    "issue_reset_link",
    "issue_set_up_link",
    "issue_sign_in_link",
    "member",
    "member_scope",
    "members",
    "missing_step",
    "permissions_of",
    "person_at",
    "reseal",
    "restart_chain",
    "sealed_under",
    "session_cookie",
    "team_numbers",
    "verify_chain",
]

SIGN_IN_VALID: Final = timedelta(minutes=15)

_BY_SLUG: Final = text("SELECT gate.tenant_by_slug(:slug)")
_ONLY: Final = text("SELECT gate.only_tenant()")
_FIRST_OWNER: Final = text(
    "SELECT user_id FROM membership WHERE tenant_id = :tenant AND role = 'owner' AND ended_at IS NULL"
    " ORDER BY joined_at, id LIMIT 1"
)
_CARDS: Final = """
SELECT m.id, m.user_id, u.name, u.email, u.sort_key, m.role, m.ended_at, u.is_active
  FROM membership m JOIN user_account u ON u.id = m.user_id
 WHERE m.tenant_id = $1"""
_TEAM: Final = """
SELECT m.role, count(*) AS people, count(*) FILTER (WHERE u.is_active) AS active,
       count(*) FILTER (WHERE u.last_login_at > $2) AS recent
  FROM membership m JOIN user_account u ON u.id = m.user_id
 WHERE m.tenant_id = $1 AND m.ended_at IS NULL GROUP BY m.role"""


@dataclass(frozen=True, slots=True)
class MemberCard:
    """A member as a name beside work. `ended` members stay as authors; they are offered nowhere."""

    id: UUID
    user: UUID
    name: str
    initials: str
    email: str
    role: str
    ended: bool

    @property
    def hue_of(self) -> UUID:
        """What the colour of a face is chosen by: the same person has the same one everywhere."""
        return self.user


@dataclass(frozen=True, slots=True)
class TeamNumbers:
    """The team family's figures. `total` are present members, `active` those whose account is not deactivated."""

    total: int
    active: int
    signed_in_7d: int
    by_role: dict[str, int]


async def members(
    source: AsyncSession | Raw, scope: Scope, *, ids: list[UUID] | None = None, present: bool = False
) -> list[MemberCard]:
    """Return the firm's members by name: those of `ids`, or all; `present` leaves out who has left."""
    sql = _CARDS
    values: list[UUID | list[UUID]] = [scope.tenant]
    if ids is not None:
        sql, values = f"{sql} AND m.id = ANY ($2)", [scope.tenant, ids]
    if present:
        sql += " AND m.ended_at IS NULL"
    # allow: sql-literal - put together from the fixed texts above; values are bound
    rows = await (await _connection(source)).fetch(f"{sql} ORDER BY u.sort_key, m.id", *values)
    return [
        MemberCard(
            id=row["id"],
            user=row["user_id"],
            name=row["name"],
            initials=initials(row["name"]),
            email=row["email"],
            role=row["role"],
            ended=row["ended_at"] is not None,
        )
        for row in rows
    ]


async def member(source: AsyncSession | Raw, scope: Scope, member_id: UUID) -> MemberCard | None:
    """Return one member of the firm, present or not."""
    found = await members(source, scope, ids=[member_id])
    return found[0] if found else None


async def find_member_by_email(source: AsyncSession | Raw, scope: Scope, email: str) -> MemberCard | None:
    """Return the present member with this address, compared without case."""
    connection = await _connection(source)
    found = await connection.fetchval(
        "SELECT m.id FROM membership m JOIN user_account u ON u.id = m.user_id"
        " WHERE m.tenant_id = $1 AND m.ended_at IS NULL AND u.email = lower($2)",
        scope.tenant,
        email.strip(),
    )
    return await member(connection, scope, found) if found else None


async def team_numbers(source: AsyncSession | Raw, scope: Scope) -> TeamNumbers:
    """Return how many people there are, by role, and how many signed in within seven days."""
    rows = await (await _connection(source)).fetch(_TEAM, scope.tenant, scope.at - timedelta(days=7))
    return TeamNumbers(
        total=sum(row["people"] for row in rows),
        active=sum(row["active"] for row in rows),
        signed_in_7d=sum(row["recent"] for row in rows),
        by_role={str(role): next((r["people"] for r in rows if r["role"] == role), 0) for role in Role},
    )


async def create_user(
    session: AsyncSession, *, email: str, name: str, password: str | None = None, locale: str | None = None
) -> UUID:
    """Make an account and bind the session to it. Without a password it is entered by links only."""
    hashed = None if password is None else await hash_password(password)
    return await _create_user(session, email=email, name=name, password_hash=hashed, locale=locale)


async def add_member(session: AsyncSession, scope: Scope, *, user: UUID, role: str) -> UUID:
    """Make somebody a member of the scope's firm; bind the session to it. Return the membership."""
    await enter_tenant(session, scope.tenant, user)
    return (await _add_member(session, scope, user=user, role=role)).id


async def command_actor(session: AsyncSession, *, tenant: str | None, email: str | None, at: datetime) -> Scope:
    """Return in whose name a command acts and bind the session to it: the member named, else the firm's first owner.

    `tenant` is a short name; it may be left out where there is only one firm. Raises NotFound.
    """
    find = _BY_SLUG if tenant else _ONLY
    firm: UUID | None = await session.scalar(find, {"slug": tenant} if tenant else {})
    if firm is None:
        nameless = "there is not just one firm here: name it with --tenant, `zena tenant list` shows them"
        raise NotFound(f"there is no firm {tenant!r}: `zena tenant list` shows them" if tenant else nameless)
    await enter_tenant(session, firm)
    user = await user_by_email(session, email) if email else await session.scalar(_FIRST_OWNER, {"tenant": firm})
    if user is None:
        raise NotFound(f"nobody here has the address {email!r}" if email else "this firm has no owner")
    await enter_tenant(session, firm, user)
    return await member_scope(session, tenant=firm, user=user, at=at)


async def issue_set_up_link(db: Database, public_url: str) -> str | None:
    """Return the one-time link that begins an installation; None once it has begun."""
    async with unit_of_work(db) as session:
        return await make_set_up_link(session, public_url=public_url)


async def issue_sign_in_link(db: Database, public_url: str, email: str) -> str | None:
    """Return a link that signs this person in once within 15 minutes; None for an unknown address."""
    async with unit_of_work(db) as session:
        user = await user_by_email(session, email)
        if user is None:
            return None
        await enter_tenant(session, None, user)
        return await make_link(session, user=user, kind="sign_in", valid=SIGN_IN_VALID, public_url=public_url)


async def issue_reset_link(db: Database, public_url: str, email: str) -> str | None:
    """Return a link by which this person chooses a new password; None for an unknown or deactivated one."""
    async with unit_of_work(db) as session:
        user = await user_by_email(session, email)
        return await make_reset_link(session, user=user, public_url=public_url) if user else None


async def _connection(source: AsyncSession | Raw) -> Raw:
    return await raw(source) if isinstance(source, AsyncSession) else source
