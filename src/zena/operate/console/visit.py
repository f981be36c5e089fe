"""Entering a firm as support: with a reason and a limit, told to the firm, and read only."""

from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.facade import VISIT_LIMITS, Wish, begin_visit, missing_step, session_cookie
from zena.kit.access import operator
from zena.kit.db import Raw
from zena.kit.errors import Conflict, Invalid, NotFound
from zena.kit.html import AnyRequest, FormRefused, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Identity
from zena.kit.state import State, state_of
from zena.operate.console.desk import PLACE, answer, nav_at
from zena.operate.door import reading
from zena.operate.metrics.firms import firms

_TEMPLATE: Final = "ops/visit.html"
_NAMES: Final = {15: N_("15 minutes"), 60: N_("1 hour"), 240: N_("4 hours")}
_USUAL: Final = "60"


@get("/ops/tenants/{tenant_id:uuid}/visit", opt=operator())
async def ask(
    request: AnyRequest, session: AsyncSession, identity: Identity, tenant_id: FromPath[UUID]
) -> Response[str]:
    """What somebody is asked before they look at a firm."""

    async def read(conn: Raw) -> dict[str, Any]:
        return await _asked(conn, state_of(request), tenant_id)

    return await answer(request, session, identity, _TEMPLATE, read)


@post("/ops/tenants/{tenant_id:uuid}/visit", opt=operator(), status_code=303)
async def enter(
    request: AnyRequest, session: AsyncSession, identity: Identity, tenant_id: FromPath[UUID]
) -> Response[str]:
    state = state_of(request)
    if await missing_step(session, identity, state.clock.now()):
        return see_other(request, f"/confirm?next={quote(request.url.path, safe='/')}")
    async with reading(state) as conn:
        asked = await _asked(conn, state, tenant_id)
    form = await request.form()
    wish = Wish(tenant_id, _field(form, "reason"), _field(form, "minutes"))
    try:
        async with refusing(request, session, _TEMPLATE, form, catch=(Invalid, Conflict), place=PLACE, **asked):
            opened = await begin_visit(session, identity, wish, at=state.clock.now())
    except FormRefused as refused:
        refused.nav = nav_at(request.url.path)
        raise
    return see_other(request, "/", cookies=[session_cookie(state, opened)])


def _field(form: FormMultiDict, name: str) -> str:
    """Return a field; a file, or one sent twice, is none."""
    values = form.getall(name, [])
    return values[0] if len(values) == 1 and isinstance(values[0], str) else ""


async def _asked(conn: Raw, state: State, tenant: UUID) -> dict[str, Any]:
    found = await firms(conn, state.clock.now(), str(tenant), 1)
    if not found:
        raise NotFound.of("tenant")
    limits = [(str(minutes), _NAMES[minutes]) for minutes in VISIT_LIMITS]
    return {"firm": found[0], "limits": limits, "usual": _USUAL}


ROUTES = [ask, enter]
