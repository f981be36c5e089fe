"""The first start: one link, one firm, one owner."""

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.firms import create_tenant
from zena.accounts.actions.passwords import dead_link, make_link
from zena.accounts.actions.people import create_user
from zena.accounts.actions.sessions import Caller, Opened, open_session
from zena.accounts.models import PersonalLink
from zena.accounts.passwords import check_new_password, hash_password
from zena.accounts.secrecy import digest
from zena.kit.state import State
from zena.kit.text import clean_name, email_address

SET_UP_VALID: Final = timedelta(days=7)
_EMPTY: Final = text("SELECT gate.is_empty()")


async def is_set_up(session: AsyncSession) -> bool:
    return not await session.scalar(_EMPTY)


async def make_set_up_link(session: AsyncSession, *, public_url: str) -> str | None:
    """Return the link that begins the installation; None once somebody has an account. A former link dies."""
    if await is_set_up(session):
        return None
    return await make_link(session, user=None, kind="set_up", valid=SET_UP_VALID, public_url=public_url)


async def check_set_up_link(session: AsyncSession, *, token: str) -> None:
    """Refuse a link that begins nothing."""
    valid = select(PersonalLink.kind).where(*_link(token))
    if await session.scalar(valid) is None or await is_set_up(session):
        raise dead_link()


async def set_up(  # noqa: PLR0913 - the fields of one form
    session: AsyncSession,
    state: State,
    *,
    token: str,
    firm: str,
    name: str,
    email: str,
    password: str,
    timezone: str,
    locale: str,
    currency: str,
    caller: Caller,
) -> Opened:
    """Use up the link, found the first firm with its owner and sign the owner in. Of many at once, one succeeds."""
    await check_set_up_link(session, token=token)
    address, called = email_address(email), clean_name(name, "name")
    check_new_password(password, "password", about=(address, called, firm))
    hashed = await hash_password(password)
    used = await session.scalar(delete(PersonalLink).where(*_link(token)).returning(PersonalLink.kind))
    if used is None:
        raise dead_link()
    now = state.clock.now()
    owner = await create_user(session, email=address, name=called, password_hash=hashed)
    await create_tenant(
        session,
        name=clean_name(firm, "firm"),
        owner=owner,
        at=now,
        timezone=timezone,
        locale=locale,
        currency=currency,
        ip=caller.ip,
    )
    return await open_session(session, owner, state.settings, caller, at=now)


def _link(token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        PersonalLink.token_hash == digest(token),
        PersonalLink.kind == "set_up",
        PersonalLink.expires_at > func.now(),
    )
