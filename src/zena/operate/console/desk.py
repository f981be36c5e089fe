"""How every page of the console is answered: who may come in, the measurements they see, the frame around them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Literal
from urllib.parse import quote

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.facade import StepUp, missing_step
from zena.kit.db import Raw
from zena.kit.html import AnyRequest, renderer, see_other, view_of
from zena.kit.html.answers import HEADERS, HTML, said_once
from zena.kit.i18n import N_
from zena.kit.registry import NavItem
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of
from zena.operate.console.memo import Memo
from zena.operate.door import reading
from zena.operate.metrics.report import report

Read = Callable[[Raw], Awaitable[dict[str, Any]]]

#: How far the pages of load look back.
Back = Literal["5m", "15m", "1h", "24h"]
BACK: Final[dict[Back, timedelta]] = {
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
}
#: Processes write every ten seconds: read more often, the figures would be the same.
REPORT_AGE: Final = timedelta(seconds=9)
_AGE: Final[dict[Back, timedelta]] = {"24h": timedelta(minutes=1)}
PLACE: Final = N_("Operations")
_NAV: Final = (
    NavItem(N_("Overview"), "/ops", "pulse", phone=True),
    NavItem(N_("Incidents"), "/ops/incidents", "alert", phone=True),
    NavItem(N_("Runbook"), "/ops/runbook", "shield"),
    NavItem(N_("Requests"), "/ops/requests", "arrow-right", N_("Load"), phone=True),
    NavItem(N_("Queries"), "/ops/queries", "table", N_("Load")),
    NavItem(N_("Cache"), "/ops/cache", "bolt", N_("Load")),
    NavItem(N_("Queue"), "/ops/queue", "rows", N_("Load"), phone=True),
    NavItem(N_("Live connections"), "/ops/realtime", "bell", N_("Load")),
    NavItem(N_("Firms"), "/ops/tenants", "building", N_("Installation"), phone=True),
    NavItem(N_("Log"), "/ops/logs", "list", N_("Installation")),
    NavItem(N_("Backups"), "/ops/backups", "box", N_("Installation")),
    NavItem(N_("Changes"), "/ops/changes", "history", N_("Installation")),
    NavItem(N_("Settings"), "/ops/settings", "gear", N_("Installation")),
)


async def answer(
    request: AnyRequest, session: AsyncSession, identity: Identity, template: str, read: Read
) -> Response[str]:
    """Draw a page from what `read` returns; a person who has not stepped up is sent to do that first."""
    state = state_of(request)
    step = await missing_step(session, identity, state.clock.now())
    if step is StepUp.ENROL:
        return _draw(request, session, "ops/enrol.html")
    if step is StepUp.CONFIRM:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return see_other(request, f"/confirm?next={quote(here, safe='/')}")
    async with reading(state) as conn:
        context = await read(conn)
    return _draw(request, session, template, **context)


async def lately(request: AnyRequest, conn: Raw, back: Back, *parts: str) -> dict[str, Any]:
    """Return parts of the report of the time looked back on, as /api/v1/metrics gives them."""
    now = state_of(request).clock.now()
    found: dict[str, Any] = await memo_of(request).get(
        f"report:{back}:{parts}", now, _AGE.get(back, REPORT_AGE), lambda: report(conn, now, BACK[back], parts)
    )
    return found


def memo_of(request: AnyRequest) -> Memo:
    memo: Memo = request.app.state.setdefault("console", Memo())
    return memo


async def console_entry(_: Raw, scope: Scope) -> list[NavItem]:
    """Offer the console in a firm's side bar to operators."""
    if scope.identity is None or not scope.identity.is_operator or scope.identity.session is None:
        return []
    return [NavItem(N_("Operations"), "/ops", "pulse", N_("Running it"))]


def nav_at(path: str) -> list[tuple[NavItem, bool]]:
    """Return the console's side bar, with the entry of the page marked."""
    here = max((item.url for item in _NAV if path == item.url or path.startswith(f"{item.url}/")), key=len)
    return [(item, item.url == here) for item in _NAV]


def _draw(request: AnyRequest, session: AsyncSession, template: str, **context: Any) -> Response[str]:
    view = view_of(request, session)
    frame = "ops/part.html" if request.headers.get("hx-target") == "figures" else "ops/frame.html"
    content = renderer(request).render(template, view, nav=nav_at(view.path), frame=frame, place=PLACE, **context)
    return Response(content, media_type=HTML, headers=dict(HEADERS), cookies=said_once(view))
