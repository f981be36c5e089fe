"""Visits of support: how the firm follows and ends them, and how the visitor leaves."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.visits import end_visit_now, leave_visit
from zena.accounts.cookies import session_cookie
from zena.accounts.entry import Entered
from zena.accounts.permissions import Permission
from zena.accounts.queries.visits import MOST, visit_page
from zena.accounts.web.ways import AnyRequest
from zena.kit.access import may, signed_in
from zena.kit.html import page, see_other
from zena.kit.i18n import N_
from zena.kit.pages import page_of
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of

_LIMIT = 20
HOW = {
    "left": N_("they left"),
    "firm": N_("ended by your firm"),
    "operations": N_("ended from the command line"),
    "limit": N_("the time was up"),
    "access": N_("their session ended"),
}


@get("/settings/support", opt=may(Permission.SETTINGS_MANAGE))
async def show(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    cursor, cursors = request.query_params.get("cursor"), state_of(request).cursors
    listing = f"{actor.tenant}:visits-page"
    values = cursors.open(listing, cursor) if cursor else ()
    rows = await visit_page(session, actor, limit=_LIMIT, values=values)
    found = page_of(rows, _LIMIT, lambda row: cursors.seal(listing, (row.began_at, row.id)))
    following = urlencode({"cursor": found.page.next}) if found.page.next else None
    context: dict[str, Any] = {"visits": found.data, "how": HOW, "most": MOST}
    next_url = f"/settings/support?{following}" if following else None
    return await page(request, session, "firm/support.html", next=next_url, **context)


@post("/settings/support/{visit_id:uuid}/end", opt=may(Permission.SETTINGS_MANAGE), status_code=303)
async def end(request: AnyRequest, session: AsyncSession, actor: Scope, visit_id: FromPath[UUID]) -> Response[str]:
    await end_visit_now(session, actor, visit=visit_id)
    return see_other(request, "/settings/support", toast=N_("The visit has ended."))


@post("/support/departure", opt=signed_in(), status_code=303)
async def leave(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> Response[str]:
    opened = await leave_visit(session, identity, visitor.scope)
    where = "/ops/tenants" if identity.is_operator else "/"
    return see_other(request, where, toast=N_("You left."), cookies=[session_cookie(state_of(request), opened)])


ROUTES = [show, end, leave]
