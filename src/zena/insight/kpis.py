"""Key figures as they are asked for: from the cache while nothing that counts has changed."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from zena.accounts.facade import Permission
from zena.insight import families, queries
from zena.insight.figures import (
    DashboardFigures,
    Kpis,
    Past,
    ProjectFigures,
    ProjectHealth,
    ProjectsFigures,
    TasksFigures,
    TeamFigures,
)
from zena.insight.shadow import compare
from zena.kit.cache import Cache, Cached
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.scope import Scope

#: Seconds a value is kept at most. What an event touches is never served again at all, so this only bounds what no
#: event tells: who signed in, and yesterday's snapshot.
LIFE = 60.0
#: Figures are compared with those of a week ago, or up to a week earlier where no snapshot was taken that day.
PERIOD = timedelta(days=7)

#: Before the family's name in `tenant_head.versions`: how often an operator cleared it.
CLEARED = "cleared:"
#: What is kept of each family.
NAMES = {"dashboard": ("all", "history"), "projects": ("all",), "tasks": ("all",), "team": ("all",)}

#: Whatever is kept and counted apart.
FAMILIES = (*NAMES, "project", "health")

KINDS: dict[str, Any] = {
    "dashboard": DashboardFigures,
    "projects": ProjectsFigures,
    "tasks": TasksFigures,
    "team": TeamFigures,
}
_MONEY = ("budget_planned", "budget_actual", "budget_utilisation")

Versions = dict[str, int]
Loader = Callable[[], Awaitable[Any]]


class _Stored(msgspec.Struct):
    """What lies in the cache, as JSON."""

    data: Any
    past: Past | None


async def family(conn: Raw, scope: Scope, cache: Cache, name: str, versions: Versions | None = None) -> Kpis[Any]:
    """Return a family of figures, at least as new as this transaction's view of the tenant.

    The version is read before the figures: these may then be newer than it says, never older. `versions` saves
    reading it for each of several families.
    """
    known = await queries.versions(conn, scope) if versions is None else versions

    async def load() -> _Stored:
        past = await _past(conn, scope) if name == "dashboard" else None
        return _Stored(await families.FAMILIES[name](conn, scope), past)

    found = await _cached(scope, cache, (name, "all"), known, load)
    stored = msgspec.convert(found.value, _Stored)
    data = msgspec.convert(stored.data, KINDS[name])
    await compare(conn, scope, cache, name, found)
    kpis = Kpis(family=name, data=data, generated_at=found.generated_at, version=found.version, past=stored.past)
    return kpis if scope.may(Permission.COST_VIEW) else _without_cost(kpis)


async def check_one(conn: Raw, scope: Scope, cache: Cache, names: Sequence[str], versions: Versions) -> None:
    """Look at one of these families, in turn, if it is time to compare it: a page that was kept whole reads none."""
    if cache.shadow.is_due:
        await family(conn, scope, cache, names[cache.shadow.turn % len(names)], versions)


def cleared(names: Iterable[str], versions: Versions) -> int:
    """Return how often any of these families was cleared: it belongs into the key of what is made of them."""
    return sum(versions.get(f"{CLEARED}{name}", 0) for name in names)


async def history(conn: Raw, scope: Scope, cache: Cache, versions: Versions) -> list[Past]:
    """Return the daily snapshots the charts reach back to, before today, oldest first; without money."""

    async def load() -> list[Past]:
        first = scope.today - timedelta(days=families.DAYS - 1)
        rows = [row for row in await queries.history(conn, scope, first) if row["day"] < scope.today]
        return [_plain(Past(row["day"], (scope.today - row["day"]).days, row["figures"])) for row in rows]

    found = await _cached(scope, cache, ("dashboard", "history"), versions, load)
    return msgspec.convert(found.value, list[Past])


async def of_project(conn: Raw, scope: Scope, project_id: UUID) -> tuple[Kpis[ProjectFigures], Kpis[ProjectHealth]]:
    """Return one project's figures and health. Not cached: they are one statement. NotFound outside the tenant."""
    version = (await queries.versions(conn, scope)).get("projects", 0)
    found = await families.project_figures(conn, scope, project_id)
    if found is None:
        raise NotFound.of("project", project_id)
    figures, standing = found
    if not scope.may(Permission.COST_VIEW):
        figures = figures.without_cost()
        standing = msgspec.structs.replace(standing, health=standing.health.without_cost())
    return (
        Kpis(family="project", data=figures, generated_at=scope.at, version=version),
        Kpis(family="health", data=standing, generated_at=scope.at, version=version),
    )


def stored_name(family: str, name: str, versions: Versions) -> str:
    """Return the name that goes into the key. Clearing a family by hand changes it: what lay there is not read again.

    The version cannot be raised for that: it is the position of an event, and a later event would come to the same one.
    """
    cleared = versions.get(f"{CLEARED}{family}")
    return f"{name}.{cleared}" if cleared else name


async def _cached(scope: Scope, cache: Cache, place: tuple[str, str], versions: Versions, loader: Loader) -> Cached:
    family, name = place
    return await cache.get_or_load(
        tenant=scope.tenant,
        family=family,
        name=stored_name(family, name, versions),
        version=versions.get(family, 0),
        local_date=scope.today,
        ttl=LIFE,
        loader=loader,
    )


async def _past(conn: Raw, scope: Scope) -> Past | None:
    wanted = scope.today - PERIOD
    row = await queries.past(conn, scope, wanted, wanted - PERIOD)
    return Past(row["day"], (scope.today - row["day"]).days, row["figures"]) if row else None


def _without_cost(kpis: Kpis[Any]) -> Kpis[Any]:
    data = kpis.data.without_cost() if hasattr(kpis.data, "without_cost") else kpis.data
    return msgspec.structs.replace(kpis, data=data, past=_plain(kpis.past) if kpis.past else None)


def _plain(past: Past) -> Past:
    figures = {name: value for name, value in past.figures.items() if name not in _MONEY}
    return msgspec.structs.replace(past, figures=figures)
