"""Signed-in browsers: opening a session, renewing its value, choosing the firm, ending it.

The cookie's value is made here only, and replaced whenever somebody proves more (password, code) or acts as somebody
else (another firm, another role): a value known before is worth nothing after (C01).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.events import SessionRevoked, SignedIn
from zena.accounts.models import Session, UserAccount
from zena.accounts.policy import check_browser
from zena.accounts.queries.actors import member_scope
from zena.accounts.queries.people import Firm, firms_of
from zena.accounts.secrecy import digest, new_form_secret, new_secret
from zena.kit.errors import Forbidden, NotFound, Unauthorized
from zena.kit.events import record
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.logs import get_logger
from zena.kit.scope import Identity, Scope
from zena.kit.uow import enter_tenant
from zena.settings import Settings

security = get_logger("zena.security")

#: Longest time between the password and the second factor.
_HALF: Final = timedelta(minutes=10)
_AGENT_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class Caller:
    """What is kept of the browser somebody signs in with."""

    ip: str | None = None
    user_agent: str | None = None
    request_id: str = ""
    replaces: Identity | None = None  # who the browser was before


@dataclass(frozen=True, slots=True)
class Opened:
    """A session whose cookie must be set now: its value is not known again.

    `scope` is None without a firm. `theme` is told at sign-in, for a browser that has no colours of its own yet.
    """

    session: UUID
    user: UUID
    cookie: str
    stage: str
    scope: Scope | None = None
    theme: str = "system"


async def open_session(
    session: AsyncSession, user: UUID, settings: Settings, caller: Caller, *, at: datetime
) -> Opened:
    """Open a session for somebody who has just proved who they are: the one place where sessions begin.

    Where they have a second factor it is half open, and `complete_session` opens it. Binds `session` to the person.
    """
    if caller.replaces and caller.replaces.session:
        await enter_tenant(session, None, caller.replaces.user)
        await _revoke(session, caller.replaces.user, Session.id == caller.replaces.session)
    await enter_tenant(session, None, user)
    # allow: session-get - the caller has just proved to be this person
    row = await session.get(UserAccount, user, populate_existing=True)
    if row is None or not row.is_active:
        raise Unauthorized(code="INVALID_CREDENTIALS")
    half = row.totp_confirmed_at is not None
    cookie = new_secret()
    made = Session(
        id=new_id(),
        user_id=user,
        token_hash=digest(cookie),
        form_secret=new_form_secret(),
        stage="mfa" if half else "full",
        expires_at=func.now() + (_HALF if half else timedelta(days=settings.session_absolute_days)),
        idle_seconds=settings.session_idle_hours * 3600,
        ip=caller.ip,
        user_agent=caller.user_agent and caller.user_agent[:_AGENT_LENGTH],
    )
    session.add(made)
    await session.flush()
    if half:
        return Opened(made.id, user, cookie, "mfa")
    scope = await _arrive(session, made.id, user, caller, at=at, second_factor=False)
    return Opened(made.id, user, cookie, "full", scope, row.theme)


async def complete_session(
    session: AsyncSession, half: UUID, user: UUID, settings: Settings, caller: Caller, *, at: datetime
) -> Opened:
    """Open a half-open session after its second factor, under a new value."""
    cookie = await _renew(
        session,
        half,
        stage="full",
        authenticated_at=func.now(),
        expires_at=func.now() + timedelta(days=settings.session_absolute_days),
    )
    scope = await _arrive(session, half, user, caller, at=at, second_factor=True)
    theme = await session.scalar(select(UserAccount.theme).where(UserAccount.id == user))
    return Opened(half, user, cookie, "full", scope, theme or "system")


async def confirm_session(session: AsyncSession, identity: Identity) -> Opened:
    """Note that the person proved again who they are, under a new value."""
    cookie = await _renew(session, check_browser(identity), authenticated_at=func.now())
    return Opened(check_browser(identity), identity.user, cookie, "full")


async def switch_tenant(session: AsyncSession, identity: Identity, *, tenant: UUID, at: datetime) -> Opened:
    """Act in another of one's firms from now on, under a new value; 404 for firms one does not belong to."""
    current = check_browser(identity)
    firm = next((firm for firm in await firms_of(session, identity.user) if firm.id == tenant), None)
    if firm is None:
        raise NotFound.of("tenant", tenant)
    if not firm.is_served:
        message = N_("The firm %(name)s is %(status)s. Ask its owner.", name=firm.name, status=firm.status)
        raise Forbidden(detail=message, code="NO_TENANT_ACCESS")
    cookie = await _renew(session, current, active_tenant=tenant)
    await enter_tenant(session, tenant, identity.user)
    scope = await member_scope(session, tenant=tenant, user=identity.user, at=at, identity=identity)
    return Opened(current, identity.user, cookie, "full", scope)


async def end_session(session: AsyncSession, identity: Identity, scope: Scope | None, *, target: UUID) -> None:
    """End one of one's own sessions, this one or another; 404 for anybody else's (C03)."""
    check_browser(identity)
    if not await _revoke(session, identity.user, Session.id == target):
        raise NotFound.of("session")
    reason = "signed_out" if target == identity.session else "revoked"
    _record_end(session, identity, scope, target, reason)


async def end_other_sessions(session: AsyncSession, identity: Identity, scope: Scope | None, *, reason: str) -> int:
    """End all of one's sessions except the present one and return how many there were."""
    current = check_browser(identity)
    ended = await _revoke(session, identity.user, Session.id != current)
    for target in ended:
        _record_end(session, identity, scope, target, reason)
    return len(ended)


async def end_all_sessions(session: AsyncSession, user: UUID) -> None:
    """End every session of the person the transaction is bound to: their password was replaced from outside."""
    await _revoke(session, user, Session.user_id == user)


async def renew_session(session: AsyncSession, identity: Identity, **values: Any) -> Opened:
    """Give the present session a new value: the role it acts in has changed, and with it the columns in `values`."""
    cookie = await _renew(session, check_browser(identity), **values)
    return Opened(check_browser(identity), identity.user, cookie, "full")


async def _arrive(
    session: AsyncSession, opened: UUID, user: UUID, caller: Caller, *, at: datetime, second_factor: bool
) -> Scope | None:
    """Note the sign-in, choose the firm to act in, and record the sign-in there."""
    await session.execute(update(UserAccount).where(UserAccount.id == user).values(last_login_at=func.now()))
    tenant = await _first_tenant(session, user)
    if tenant is None:
        security.info("signed in without a firm", user=str(user), ip=caller.ip)
        return None
    await session.execute(update(Session).where(Session.id == opened).values(active_tenant=tenant))
    await enter_tenant(session, tenant, user)
    scope = await member_scope(session, tenant=tenant, user=user, at=at, ip=caller.ip)
    record(session, scope, SignedIn(subject=opened, user=user, second_factor=second_factor))
    return scope


async def _first_tenant(session: AsyncSession, user: UUID) -> UUID | None:
    """Return the firm somebody acted in last, else their default."""
    served: list[Firm] = [firm for firm in await firms_of(session, user) if firm.is_served]
    latest = select(Session.active_tenant).where(Session.user_id == user, Session.active_tenant.is_not(None))
    last = await session.scalar(latest.order_by(Session.last_seen_at.desc()).limit(1))
    return next((firm.id for firm in served if firm.id == last), served[0].id if served else None)


async def _renew(session: AsyncSession, target: UUID, **values: Any) -> str:
    cookie = new_secret()
    renewed = await session.scalar(
        update(Session)
        .where(Session.id == target, Session.revoked_at.is_(None))
        .values(token_hash=digest(cookie), form_secret=new_form_secret(), **values)
        .returning(Session.id)
    )
    if renewed is None:
        raise Unauthorized(N_("This session has ended. Sign in again."))
    return cookie


async def _revoke(session: AsyncSession, user: UUID, which: ColumnElement[bool]) -> list[UUID]:
    ended = update(Session).where(Session.user_id == user, Session.revoked_at.is_(None), which)
    rows = await session.scalars(ended.values(revoked_at=func.now()).returning(Session.id))
    return list(rows)


def _record_end(session: AsyncSession, identity: Identity, scope: Scope | None, target: UUID, reason: str) -> None:
    if scope is not None:
        record(session, scope, SessionRevoked(subject=target, user=identity.user, reason=reason))
