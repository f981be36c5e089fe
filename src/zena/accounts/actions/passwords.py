"""Passwords: changing one's own, and replacing a forgotten one by a link. Nobody sets somebody else's."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.sessions import Caller, Opened, confirm_session, end_all_sessions, end_other_sessions
from zena.accounts.actions.sign_in import check_password, link_owner, use_link
from zena.accounts.events import PasswordChanged
from zena.accounts.models import PersonalLink, UserAccount
from zena.accounts.passwords import check_new_password, hash_password
from zena.accounts.policy import check_browser, check_fresh
from zena.accounts.queries.actors import member_scope
from zena.accounts.queries.people import firms_of, person, user_by_email
from zena.accounts.secrecy import digest, new_secret
from zena.accounts.throttling import count_reset
from zena.kit.errors import Problem, Unauthorized
from zena.kit.events import record
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.queue import enqueue
from zena.kit.scope import Identity, Scope
from zena.kit.state import State
from zena.kit.text import email_address
from zena.kit.uow import enter_tenant

RESET_VALID: Final = timedelta(minutes=30)


async def change_password(
    session: AsyncSession, state: State, identity: Identity, scope: Scope | None, *, current: str, new: str
) -> Opened:
    """Change one's own password, proving the present one; all other sessions end, this one gets a new value."""
    check_browser(identity)
    row = await person(session, identity.user)
    if row is None:
        raise Unauthorized
    if row.password_hash is None:
        check_fresh(identity, state.clock.now())
    else:
        await check_password(state, email=identity.email, password=current, ip=identity.ip)
    check_new_password(new, "new", about=(identity.email, identity.name))
    await _set_password(session, identity.user, await hash_password(new))
    await end_other_sessions(session, identity, scope, reason="password_changed")
    if scope is not None:
        record(session, scope, PasswordChanged(subject=identity.user))
    await enqueue(session, None, "accounts.mail_notice", user_id=identity.user, kind="password_changed")
    return await confirm_session(session, identity)


async def request_reset(session: AsyncSession, state: State, *, email: str, ip: str | None) -> None:
    """Have a letter with a reset link sent to the stored address, if there is such an account.

    The answer, the work done here and its time are the same for any address: the worker finds out (C07).
    """
    address = email_address(email)
    if not await count_reset(state, address, ip):
        return
    user = await user_by_email(session, address) or new_id()
    await enqueue(session, None, "accounts.mail_reset", user_id=user)


async def reset_password(session: AsyncSession, *, token: str, new: str, caller: Caller, at: datetime) -> None:
    """Replace a forgotten password by its link: every session and link of the person dies, the second factor stays."""
    user = await link_owner(session, kind="reset", token=token)
    await enter_tenant(session, None, user)
    row = await person(session, user)
    if row is None or not row.is_active:
        raise dead_link()
    check_new_password(new, "password", about=(row.email, row.name))
    hashed = await hash_password(new)
    await use_link(session, kind="reset", token=token)
    await _set_password(session, user, hashed)
    await end_all_sessions(session, user)
    await enqueue(session, None, "accounts.mail_notice", user_id=user, kind="password_changed")
    await _record_reset(session, user, caller, at)


async def make_reset_link(session: AsyncSession, *, user: UUID, public_url: str) -> str | None:
    """Return a link by which this person can choose a new password; None for nobody and the deactivated."""
    await enter_tenant(session, None, user)
    row = await person(session, user)
    if row is None or not row.is_active:
        return None
    return await make_link(session, user=user, kind="reset", valid=RESET_VALID, public_url=public_url)


async def make_link(session: AsyncSession, *, user: UUID | None, kind: str, valid: timedelta, public_url: str) -> str:
    """Return a fresh one-time link of this kind; former ones of the person die."""
    token = new_secret()
    owner = PersonalLink.user_id.is_(None) if user is None else PersonalLink.user_id == user
    await session.execute(delete(PersonalLink).where(owner, PersonalLink.kind == kind))
    session.add(PersonalLink(token_hash=digest(token), user_id=user, kind=kind, expires_at=func.now() + valid))
    await session.flush()
    return f"{public_url.rstrip('/')}/{PATHS[kind]}/{token}"


PATHS: Final = {"reset": "reset", "sign_in": "sign-in/link", "set_up": "set-up"}


def dead_link() -> Problem:
    return Unauthorized(N_("This link was used already or is too old."), code="TOKEN_EXPIRED")


async def _record_reset(session: AsyncSession, user: UUID, caller: Caller, at: datetime) -> None:
    """Record the change in the firm the person would act in, as a sign-in is."""
    firm = next((firm for firm in await firms_of(session, user) if firm.is_served), None)
    if firm is None:
        return
    await enter_tenant(session, firm.id, user)
    scope = await member_scope(session, tenant=firm.id, user=user, at=at, ip=caller.ip)
    record(session, scope, PasswordChanged(subject=user, by_link=True))


async def _set_password(session: AsyncSession, user: UUID, hashed: str) -> None:
    """Store the hash; every reset and sign-in link of the person dies with the old password."""
    changed = update(UserAccount).where(UserAccount.id == user)
    await session.execute(changed.values(password_hash=hashed, version=UserAccount.version + 1))
    await session.execute(delete(PersonalLink).where(PersonalLink.user_id == user))
