"""One person: their profile, firms and sessions. All are read as that person."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer_group

from zena.accounts.models import RecoveryCode, Session, UserAccount
from zena.kit.scope import Identity

_BY_EMAIL = text("SELECT gate.user_by_email(:email)")
_FIRMS = text("SELECT tenant_id, name, slug, status, role, is_default FROM gate.my_tenants(:user)")
SERVED = frozenset({"active", "trial"})


class Firm(msgspec.Struct, frozen=True):
    """A firm somebody belongs to. `is_served` is false for one that is suspended or closed."""

    id: UUID
    name: str
    slug: str
    status: str
    role: str
    is_current: bool = False

    @property
    def is_served(self) -> bool:
        return self.status in SERVED


class OwnSession(msgspec.Struct, frozen=True, kw_only=True):
    """One of somebody's signed-in browsers."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None
    is_current: bool


class SecondFactor(msgspec.Struct, frozen=True):
    """Whether sign-in asks for a one-time code, and how many recovery codes are left."""

    enabled: bool
    recovery_codes_left: int


async def user_by_email(session: AsyncSession, email: str) -> UUID | None:
    """Return who has this address; the row itself is then read as that person."""
    found: UUID | None = await session.scalar(_BY_EMAIL, {"email": email})
    return found


async def person(session: AsyncSession, user: UUID, *, lock: bool = False) -> UserAccount | None:
    """Return the row, with what proves who they are, of the person the transaction is bound to."""
    wanted = select(UserAccount).where(UserAccount.id == user).options(undefer_group("secrets"))
    wanted = wanted.execution_options(populate_existing=True)
    found: UserAccount | None = await session.scalar(wanted.with_for_update() if lock else wanted)
    return found


async def firms_of(session: AsyncSession, user: UUID, current: UUID | None = None) -> list[Firm]:
    """Return the firms a person belongs to, their default first. The transaction is bound to that person."""
    rows = await session.execute(_FIRMS, {"user": user})
    return [Firm(r.tenant_id, r.name, r.slug, r.status, r.role, r.tenant_id == current) for r in rows]


async def own_sessions(session: AsyncSession, identity: Identity) -> list[OwnSession]:
    """Return the sessions that still open the door, the latest used first."""
    idle_since = Session.last_seen_at + func.make_interval(0, 0, 0, 0, 0, 0, Session.idle_seconds)
    rows = await session.scalars(
        select(Session)
        .where(
            Session.user_id == identity.user,
            Session.stage == "full",
            Session.revoked_at.is_(None),
            Session.expires_at > func.now(),
            idle_since > func.now(),
        )
        .order_by(Session.last_seen_at.desc(), Session.id)
    )
    return [
        OwnSession(
            id=row.id,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=row.expires_at,
            ip=row.ip,
            user_agent=row.user_agent,
            is_current=row.id == identity.session,
        )
        for row in rows
    ]


async def has_password(session: AsyncSession, identity: Identity) -> bool:
    """Tell whether somebody has chosen a password yet; who came by a link may not have."""
    chosen = select(UserAccount.password_hash.is_not(None)).where(UserAccount.id == identity.user)
    return bool(await session.scalar(chosen))


async def second_factor(session: AsyncSession, identity: Identity) -> SecondFactor:
    confirmed = await session.scalar(select(UserAccount.totp_confirmed_at).where(UserAccount.id == identity.user))
    left = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == identity.user)
    return SecondFactor(enabled=confirmed is not None, recovery_codes_left=int(await session.scalar(left) or 0))
