"""Proving who one is: password, one-time code, one-time link. All end in `open_session` (C11)."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.codes import use_code
from zena.accounts.actions.sessions import Caller, Opened, complete_session, confirm_session, open_session
from zena.accounts.models import PersonalLink, UserAccount
from zena.accounts.passwords import fits, verify_password
from zena.accounts.policy import check_browser
from zena.accounts.queries.people import person, user_by_email
from zena.accounts.secrecy import digest
from zena.accounts.throttling import code_attempts, sign_in_attempts
from zena.kit.errors import Invalid, Unauthorized
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.logs import get_logger
from zena.kit.scope import Identity
from zena.kit.state import State
from zena.kit.text import email_address
from zena.kit.uow import enter_tenant, ledger

security = get_logger("zena.security")

_HALF: Final = text("SELECT session_id, user_id FROM gate.half_session(:hash)")
_OWNER: Final = text("SELECT gate.link_owner(:kind, :hash)")


async def sign_in(session: AsyncSession, state: State, *, email: str, password: str, caller: Caller) -> Opened:
    """Open a session for an address and its password.

    Unknown, wrong and deactivated are one answer after one hash. No connection is held while hashing.
    """
    address = _folded(email)
    user, rehash = await check_password(state, email=address, password=password, ip=caller.ip)
    opened = await open_session(session, user, state.settings, caller, at=state.clock.now())
    if rehash:
        await session.execute(update(UserAccount).where(UserAccount.id == user).values(password_hash=rehash))
    await sign_in_attempts(state, address, caller.ip).forgiven(session)
    return opened


async def check_password(state: State, *, email: str, password: str, ip: str | None) -> tuple[UUID, str | None]:
    """Return whose password this is, with its new hash where the stored one is of old parameters; throttled."""
    attempts = sign_in_attempts(state, email, ip)
    async with ledger(state.db) as session:
        await attempts.check_in(session)
        user = await user_by_email(session, email) or new_id()  # the same statements for an address nobody has (C07)
        await enter_tenant(session, None, user)
        row = await person(session, user)
    verdict = await verify_password(row.password_hash if row else None, password if fits(password) else "")
    if row is None or not verdict.right or not row.is_active:
        await attempts.failed(state)
        reason = "no such account" if row is None else "wrong password" if not verdict.right else "deactivated"
        # Of an address nobody has, an id nobody has: the line takes as long to write (C07).
        security.warning("sign-in failed", user=str(user), ip=ip, reason=reason)
        raise Unauthorized(N_("The address or the password is not right."), code="INVALID_CREDENTIALS")
    return row.id, verdict.rehash


async def pass_second_factor(
    session: AsyncSession, state: State, *, cookie: str | None, code: str, caller: Caller
) -> Opened:
    """Open a half-open session with a one-time or recovery code; throttled per person."""
    half = await half_session(state, cookie)
    attempts = code_attempts(state, str(half.user_id))
    await attempts.check(state)
    await enter_tenant(session, None, half.user_id)
    used = await use_code(session, state, user=half.user_id, code=code)
    if used is None:
        await session.rollback()  # gives the connection back before another is needed
        await attempts.failed(state)
        security.warning("sign-in failed", user=str(half.user_id), ip=caller.ip, reason="wrong code")
        raise _wrong_code()
    await attempts.forgiven(session)
    at = state.clock.now()
    opened = await complete_session(session, half.session_id, half.user_id, state.settings, caller, at=at)
    used.record(session, opened.scope)
    return opened


async def half_session(state: State, cookie: str | None) -> Any:
    """Return id and person of the half-open session behind a cookie; Unauthorized if there is none."""
    async with ledger(state.db) as session:
        half = (await session.execute(_HALF, {"hash": digest(cookie or "")})).one_or_none()
    if half is None:
        raise Unauthorized(N_("Start again with your address and password."))
    return half


async def confirm_identity(
    session: AsyncSession, state: State, identity: Identity, *, password: str, code: str | None = None
) -> Opened:
    """Prove again who one is, with everything that sign-in asks for, before a sensitive change."""
    check_browser(identity)
    await check_password(state, email=identity.email, password=password, ip=identity.ip)
    row = await person(session, identity.user)
    if row is not None and row.totp_confirmed_at is not None:
        attempts = code_attempts(state, str(identity.user))
        await attempts.check(state)
        if await use_code(session, state, user=identity.user, code=code or "") is None:
            await attempts.failed(state)
            raise _wrong_code()
    return await confirm_session(session, identity)


async def sign_in_by_link(session: AsyncSession, state: State, *, token: str, caller: Caller) -> Opened:
    """Open a session with a one-time link, which is used up; the second factor is still asked for."""
    user = await use_link(session, kind="sign_in", token=token)
    return await open_session(session, user, state.settings, caller, at=state.clock.now())


async def use_link(session: AsyncSession, *, kind: str, token: str) -> UUID:
    """Use up a person's one-time link and bind the session to that person; of many at once, one succeeds (C06)."""
    owner = await link_owner(session, kind=kind, token=token)
    await enter_tenant(session, None, owner)
    used: UUID | None = await session.scalar(
        delete(PersonalLink)
        .where(
            PersonalLink.token_hash == digest(token), PersonalLink.kind == kind, PersonalLink.expires_at > func.now()
        )
        .returning(PersonalLink.user_id)
    )
    if used is None:
        raise _dead_link()
    return used


async def link_owner(session: AsyncSession, *, kind: str, token: str) -> UUID:
    """Return whose link this is, without using it up."""
    owner: UUID | None = await session.scalar(_OWNER, {"kind": kind, "hash": digest(token)})
    if owner is None:
        raise _dead_link()
    return owner


def _folded(email: str) -> str:
    """Return the address as accounts have it; what can be none is tried as typed, and found by nobody."""
    try:
        return email_address(email)
    except Invalid:
        return email[:254].encode("utf-8", "replace").decode().replace("\x00", "")


def _dead_link() -> Unauthorized:
    return Unauthorized(N_("This link was used already or is too old."), code="TOKEN_EXPIRED")


def _wrong_code() -> Unauthorized:
    return Unauthorized(N_("This code is not right."), code="INVALID_CREDENTIALS")
