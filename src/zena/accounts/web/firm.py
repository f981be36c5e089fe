"""The firm's settings, and the record of what was done."""

from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import firms
from zena.accounts.permissions import Permission
from zena.accounts.queries.audit import audit_page, verify_chain
from zena.accounts.web.choices import currency_choices, language_choices, timezone_choices
from zena.accounts.web.forms import one, version
from zena.accounts.web.ways import AnyRequest
from zena.kit.access import may
from zena.kit.events import EVENTS
from zena.kit.html import page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.pages import DEFAULT_LIMIT, page_of
from zena.kit.scope import Scope
from zena.kit.state import state_of

SETTINGS, AUDIT = "firm/settings.html", "firm/audit.html"
FIELDS = ("name", "timezone", "locale", "currency")


@get("/settings", opt=may(Permission.SETTINGS_MANAGE))
async def show(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    return await page(request, session, SETTINGS, **await _settings(session, actor))


@post("/settings", opt=may(Permission.SETTINGS_MANAGE), status_code=303)
async def change(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    form = await request.form()
    context = await _settings(session, actor)
    async with refusing(request, session, SETTINGS, form, **context):
        changes = {name: one(form, name) for name in FIELDS if name in form}
        await firms.change_settings(session, actor, changes=changes, version=version(form))
    return see_other(request, "/settings", toast=N_("Saved."))


@get("/audit", opt=may(Permission.AUDIT_VIEW))
async def audit(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    action = request.query_params.get("action", "")[:100]
    cursor = request.query_params.get("cursor")
    cursors = state_of(request).cursors
    listing = f"{actor.tenant}:audit-page:{action}"
    values = cursors.open(listing, cursor) if cursor else ()
    rows = await audit_page(session, actor, limit=DEFAULT_LIMIT, values=values, action=action or None)
    found = page_of(rows, DEFAULT_LIMIT, lambda row: cursors.seal(listing, (row.position,)))
    following = urlencode({"action": action, "cursor": found.page.next}) if found.page.next else None
    return await page(
        request,
        session,
        AUDIT,
        entries=found.data,
        next=f"/audit?{following}" if following else None,
        action=action,
        actions=[(name, name) for name in sorted(EVENTS)],
        report=await verify_chain(session, actor.tenant) if request.query_params.get("verify") else None,
    )


async def _settings(session: AsyncSession, actor: Scope) -> dict[str, Any]:
    return {
        "firm": await firms.firm_settings(session, actor),
        "languages": language_choices(),
        "timezones": timezone_choices(),
        "currencies": currency_choices(),
    }


ROUTES = [show, change, audit]
