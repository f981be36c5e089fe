"""The firm itself: its settings, and the record of what was done."""

from uuid import UUID

import msgspec
from litestar import Response, get, patch
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import firms
from zena.accounts.api.shapes import Body
from zena.accounts.callers import AnyRequest
from zena.accounts.permissions import Permission
from zena.accounts.queries.audit import ChainReport, Entry, audit_page, verify_chain
from zena.kit.access import in_tenant, may
from zena.kit.pages import Page, page_limit, page_of
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.kit.versions import etag, wanted_version


class SettingsChange(Body):
    name: str | msgspec.UnsetType = msgspec.UNSET
    timezone: str | msgspec.UnsetType = msgspec.UNSET
    locale: str | msgspec.UnsetType = msgspec.UNSET
    currency: str | msgspec.UnsetType = msgspec.UNSET


@get("/api/v1/app/settings", opt=in_tenant())
async def settings(session: AsyncSession, actor: Scope) -> Response[firms.FirmSettings]:
    """The firm's settings."""
    found = await firms.firm_settings(session, actor)
    return Response(found, headers=etag(found.version))


@patch("/api/v1/app/settings", opt=may(Permission.SETTINGS_MANAGE))
async def change_settings(
    request: AnyRequest, session: AsyncSession, actor: Scope, data: SettingsChange
) -> Response[firms.FirmSettings]:
    """Change name, time zone, language or currency."""
    given = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not msgspec.UNSET}
    found = await firms.change_settings(session, actor, changes=given, version=wanted_version(request))
    return Response(found, headers=etag(found.version))


@get("/api/v1/app/audit", opt=may(Permission.AUDIT_VIEW))
async def audit(  # noqa: PLR0913 - the filters of one list
    *,
    request: AnyRequest,
    session: AsyncSession,
    actor: Scope,
    action: FromQuery[str | None] = None,
    who: FromQuery[UUID | None] = None,
    subject: FromQuery[UUID | None] = None,
    limit: FromQuery[int | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Page[Entry]:
    """What was done, newest first. `action` is a name such as `membership.ended`, or ends in a dot: all of a kind."""
    cursors = state_of(request).cursors
    listing = f"{actor.tenant}:audit:{action}:{who}:{subject}"
    values = cursors.open(listing, cursor) if cursor else ()
    size = page_limit(limit)
    rows = await audit_page(session, actor, limit=size, values=values, action=action, actor=who, subject=subject)
    return page_of(rows, size, lambda row: cursors.seal(listing, (row.position,)))


@get("/api/v1/app/audit/verification", opt=may(Permission.AUDIT_VIEW))
async def verification(session: AsyncSession, actor: Scope) -> ChainReport:
    """Recompute the chain of the record from its first entry."""
    return await verify_chain(session, actor.tenant)


ROUTES = [settings, change_settings, audit, verification]
