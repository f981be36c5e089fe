"""The dashboard for people, and the way in."""

from typing import Any

from litestar import Response, get
from markupsafe import Markup

from zena.accounts.facade import Permission
from zena.insight import kpis, queries
from zena.insight.cards import cards
from zena.kit.access import in_tenant, may
from zena.kit.html import AnyRequest, fragment, page, renderer, see_other, view_of
from zena.kit.state import state_of
from zena.kit.uow import Reader

#: Whose events change what the page shows.
_SHOWN = ("dashboard", "projects", "tasks")


@get("/", opt=in_tenant())
async def home(request: AnyRequest, reader: Reader) -> Response[str]:
    """Lead to what this person starts the day with."""
    return see_other(request, "/dashboard" if reader.scope.may(Permission.REPORTS_VIEW) else "/projects")


@get("/dashboard", opt=may(Permission.REPORTS_VIEW))
async def dashboard(request: AnyRequest, reader: Reader) -> Response[str]:
    """Draw the whole page, or for a live update the figures alone."""
    # allow: markup - drawn by our own template, escaping on
    figures = Markup(await _figures(request, reader))  # noqa: S704 - drawn by our own template, escaping on
    if request.headers.get("hx-target") == "figures":
        return fragment(request, reader, "dashboard/live.html", figures=figures)
    return await page(request, reader, "dashboard/page.html", figures=figures)


async def _figures(request: AnyRequest, reader: Reader) -> str:
    """Return the figures as drawn for everybody who sees the same: kept like the figures themselves.

    Their version is that of the last event that touched any family shown.
    """
    conn, scope, cache = reader.conn, reader.scope, state_of(request).cache
    view = view_of(request, reader)
    versions = await queries.versions(conn, scope)
    rights = [str(right) for right in (Permission.COST_VIEW, Permission.PROJECTS_CREATE) if scope.may(right)]

    async def draw() -> str:
        context = await _context(request, reader, versions)
        return renderer(request).render("dashboard/figures.html", view, **context)

    kept = await cache.get_or_load(
        tenant=scope.tenant,
        family="dashboard",
        name=f"page:{view.locale}:{view.timezone}:{view.currency}:{'+'.join(rights)}:{kpis.cleared(_SHOWN, versions)}",
        version=max((versions.get(name, 0) for name in _SHOWN), default=0),
        local_date=scope.today,
        ttl=kpis.LIFE,
        loader=draw,
    )
    if kept.hit:
        await kpis.check_one(conn, scope, cache, _SHOWN, versions)
    return str(kept.value)


async def _context(request: AnyRequest, reader: Reader, versions: kpis.Versions) -> dict[str, Any]:
    conn, scope, cache = reader.conn, reader.scope, state_of(request).cache
    glance = await kpis.family(conn, scope, cache, "dashboard", versions)
    tasks = await kpis.family(conn, scope, cache, "tasks", versions)
    projects = await kpis.family(conn, scope, cache, "projects", versions)
    return {
        "glance": glance.data,
        "cards": cards(glance, tasks.data, await kpis.history(conn, scope, cache, versions)),
        "tasks": tasks.data,
        "projects": projects.data,
        "as_of": min(glance.generated_at, tasks.generated_at, projects.generated_at),
    }


ROUTES = [home, dashboard]
