"""The firms somebody belongs to: choosing one, leaving one."""

from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import members, sessions
from zena.accounts.cookies import session_cookie
from zena.accounts.entry import Entered
from zena.accounts.queries.people import firms_of
from zena.accounts.web.choices import ROLE_NAMES
from zena.accounts.web.ways import AnyRequest
from zena.kit.access import in_tenant, signed_in
from zena.kit.errors import Conflict
from zena.kit.html import page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of

LIST = "firms/list.html"


@get("/firms", opt=signed_in())
async def show(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> Response[str]:
    current = visitor.scope.tenant if visitor.scope else None
    firms = await firms_of(session, identity.user, current)
    return await page(request, session, LIST, firms=firms, roles=ROLE_NAMES)


@post("/firms/{tenant_id:uuid}", opt=signed_in(), status_code=303)
async def switch(
    request: AnyRequest, session: AsyncSession, identity: Identity, tenant_id: FromPath[UUID]
) -> Response[str]:
    state = state_of(request)
    opened = await sessions.switch_tenant(session, identity, tenant=tenant_id, at=state.clock.now())
    return see_other(request, "/", cookies=[session_cookie(state, opened)])


@post("/membership/departure", opt=in_tenant(), status_code=303)
async def leave(request: AnyRequest, session: AsyncSession, actor: Scope, identity: Identity) -> Response[str]:
    firms = await firms_of(session, identity.user, actor.tenant)
    async with refusing(request, session, LIST, {}, catch=(Conflict,), firms=firms, roles=ROLE_NAMES):
        await members.leave_tenant(session, actor, identity)
    return see_other(request, "/firms", toast=N_("You left %(firm)s.", firm=actor.tenant_name))


ROUTES = [show, switch, leave]
