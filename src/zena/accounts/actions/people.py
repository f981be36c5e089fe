"""People: making an account, and what they say about themselves."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.choices import check_locale, check_theme, check_timezone
from zena.accounts.models import UserAccount
from zena.accounts.policy import check_browser, check_version
from zena.accounts.queries.people import person
from zena.kit.errors import Conflict, Unauthorized
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Identity
from zena.kit.text import clean_name, email_address, sort_key
from zena.kit.uow import enter_tenant


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A person as they see themselves. None for language and time zone: those of the firm."""

    id: UUID
    email: str
    name: str
    locale: str | None
    timezone: str | None
    theme: str
    version: int


async def create_user(
    session: AsyncSession,
    *,
    email: str,
    name: str,
    password_hash: str | None,
    locale: str | None = None,
    tenant: UUID | None = None,
) -> UUID:
    """Make an account and bind the session to it (and to `tenant`); Conflict EMAIL_TAKEN where the address has one."""
    made = UserAccount(
        id=new_id(),
        email=email_address(email),
        name=clean_name(name, "name"),
        password_hash=password_hash,
        locale=locale and check_locale(locale),
    )
    made.sort_key = sort_key(made.name)
    await enter_tenant(session, tenant, made.id)
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        raise Conflict(N_("This address has an account already."), code="EMAIL_TAKEN") from error
    return made.id


async def profile(session: AsyncSession, identity: Identity) -> Profile:
    return _profile(await _own_row(session, identity))


async def change_profile(
    session: AsyncSession, identity: Identity, *, changes: Mapping[str, str | None], version: int | None
) -> Profile:
    """Change some of name, locale, timezone and theme. Not audited: it concerns nobody else."""
    check_browser(identity)
    row = await _own_row(session, identity, lock=True)
    check_version(row, version, **msgspec.to_builtins(_profile(row)))
    wanted = {field: _CHECKS[field](value) for field, value in changes.items()}
    changed = {field: value for field, value in wanted.items() if getattr(row, field) != value}
    for field, value in changed.items():
        setattr(row, field, value)
    if changed:
        row.sort_key = sort_key(row.name)
        row.version += 1
    return _profile(row)


_CHECKS: Final[dict[str, Any]] = {
    "name": lambda value: clean_name(value or "", "name"),
    "locale": lambda value: None if value is None else check_locale(value),
    "timezone": lambda value: None if value is None else check_timezone(value),
    "theme": lambda value: check_theme(value or ""),
}


async def _own_row(session: AsyncSession, identity: Identity, *, lock: bool = False) -> UserAccount:
    row = await person(session, identity.user, lock=lock)
    if row is None:
        raise Unauthorized
    return row


def _profile(row: UserAccount) -> Profile:
    return Profile(
        id=row.id,
        email=row.email,
        name=row.name,
        locale=row.locale,
        timezone=row.timezone,
        theme=row.theme,
        version=row.version,
    )
