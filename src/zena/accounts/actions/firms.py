"""Firms: founding one, and its settings."""

import re
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.choices import check_currency, check_locale, check_timezone
from zena.accounts.events import MemberJoined, TenantCreated, TenantSettingsChanged
from zena.accounts.models import Membership, Tenant, TenantHead
from zena.accounts.permissions import Permission, Role
from zena.accounts.policy import check_version
from zena.accounts.queries.actors import member_scope
from zena.kit.errors import Conflict, Invalid
from zena.kit.events import record
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.kit.text import clean_name
from zena.kit.uow import enter_tenant

_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_SLUG_LENGTH: Final = 40
_BY_SLUG = text("SELECT gate.tenant_by_slug(:slug)")


class FirmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a firm may decide for itself."""

    name: str
    slug: str
    timezone: str
    locale: str
    currency: str
    version: int


async def create_tenant(  # noqa: PLR0913 - the fields of one form
    session: AsyncSession,
    *,
    name: str,
    owner: UUID,
    at: datetime,
    slug: str | None = None,
    timezone: str = "Asia/Ho_Chi_Minh",
    locale: str = "en",
    currency: str = "VND",
    ip: str | None = None,
    plan: str = "standard",
) -> Scope:
    """Found a firm with its first owner, who exists already; bind the session to it and return the owner's scope."""
    firm = Tenant(
        id=new_id(),
        name=clean_name(name, "name"),
        slug=await _free_slug(session, name, slug),
        timezone=check_timezone(timezone),
        locale=check_locale(locale),
        currency=check_currency(currency),
        plan=plan,
    )
    await enter_tenant(session, firm.id, owner)
    session.add(firm)
    await session.flush()
    member = Membership(tenant_id=firm.id, id=new_id(), user_id=owner, role=Role.OWNER, is_default=True)
    session.add_all([TenantHead(tenant_id=firm.id), member])
    await session.flush()
    scope = await member_scope(session, tenant=firm.id, user=owner, at=at, ip=ip)
    record(session, scope, TenantCreated(subject=firm.id, name=firm.name, slug=firm.slug))
    record(session, scope, MemberJoined(subject=member.id, user=owner, role=Role.OWNER))
    return scope


async def firm_settings(session: AsyncSession, scope: Scope) -> FirmSettings:
    """Return the firm's settings; every member may see them."""
    return _settings(await session.get_one(Tenant, scope.tenant, populate_existing=True))


async def change_settings(
    session: AsyncSession, scope: Scope, *, changes: Mapping[str, str], version: int | None
) -> FirmSettings:
    """Change some of name, timezone, locale and currency; the same values again are a no-op."""
    scope.require(Permission.SETTINGS_MANAGE)
    firm = await session.scalar(
        select(Tenant).where(Tenant.id == scope.tenant).with_for_update().execution_options(populate_existing=True)
    )
    if firm is None:
        raise Conflict
    check_version(firm, version, **msgspec.to_builtins(_settings(firm)))
    wanted = {field: _CHECKS[field](value) for field, value in changes.items()}
    changed = {field: value for field, value in wanted.items() if getattr(firm, field) != value}
    if not changed:
        return _settings(firm)
    before: dict[str, Any] = {field: getattr(firm, field) for field in changed}
    for field, value in changed.items():
        setattr(firm, field, value)
    firm.version += 1
    record(session, scope, TenantSettingsChanged(subject=firm.id), before=before, after=changed)
    return _settings(firm)


_CHECKS: Final = {
    "name": lambda value: clean_name(value, "name"),
    "timezone": check_timezone,
    "locale": check_locale,
    "currency": check_currency,
}


def _settings(firm: Tenant) -> FirmSettings:
    return FirmSettings(
        name=firm.name,
        slug=firm.slug,
        timezone=firm.timezone,
        locale=firm.locale,
        currency=firm.currency,
        version=firm.version,
    )


async def _free_slug(session: AsyncSession, name: str, wanted: str | None) -> str:
    if wanted is not None:
        if await session.scalar(_BY_SLUG, {"slug": check_slug(wanted)}) is not None:
            raise Conflict(N_("Another firm has this short name."), code="SLUG_TAKEN")
        return wanted
    slug = slug_of(name)
    taken = await session.scalar(_BY_SLUG, {"slug": slug}) is not None
    return f"{slug}-{secrets.token_hex(3)}" if taken else slug


def check_slug(wanted: str) -> str:
    """Return a short name that may stand in addresses, or raise Invalid."""
    if not _SLUG.fullmatch(wanted):
        raise Invalid.field("slug", N_("2 to 63 of a-z, 0-9 and hyphens."), "format")
    return wanted


def slug_of(name: str) -> str:
    """Return a short name made from a name: "Xây dựng Hòa Bình" is xay-dung-hoa-binh."""
    plain = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_SLUG_LENGTH].strip("-")
    return slug if _SLUG.fullmatch(slug) else f"firm-{secrets.token_hex(3)}"
