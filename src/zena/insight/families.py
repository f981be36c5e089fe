"""Each family of figures, computed from the counters."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from zena.accounts.facade import team_numbers
from zena.insight import queries
from zena.insight.figures import (
    DashboardFigures,
    DayFigures,
    Durations,
    OpenWork,
    ProjectFigures,
    ProjectHealth,
    ProjectsFigures,
    TasksFigures,
    TeamFigures,
)
from zena.insight.health import Standing, health_of, share
from zena.kit.db import Raw
from zena.kit.scope import Scope

STATUSES = ("backlog", "in_progress", "blocked", "done", "canceled")
PRIORITIES = ("urgent", "high", "normal", "low")
PROJECT_STATUSES = ("planning", "active", "on_hold", "completed", "cancelled", "archived")

#: How many days the charts reach back, today included.
DAYS = 30
WEEK = 7
_WEEKS = 4
_TOP_ASSIGNEES = 20
_TOP_TEAM = 100
_WORST = 12
_SEVERITY = {"critical": 0, "warning": 1, "good": 2}

Loader = Callable[[Raw, Scope], Awaitable[Any]]


async def dashboard(conn: Raw, scope: Scope) -> DashboardFigures:
    """Compute the firm's figures at a glance."""
    sums, due, people = (
        await queries.totals(conn, scope),
        await queries.due(conn, scope),
        await team_numbers(conn, scope),
    )
    total = sum(sums[status] for status in STATUSES)
    return DashboardFigures(
        total_projects=sums["projects"],
        active_projects=sums["active"],
        completed_projects=sums["completed"],
        total_tasks=total,
        done_tasks=sums["done"],
        in_progress_tasks=sums["in_progress"],
        blocked_tasks=sums["blocked"],
        overdue_tasks=due["overdue"],
        due_soon_tasks=due["soon"],
        members_total=people.total,
        members_active=people.active,
        project_completion_rate=share(sums["completed"], sums["projects"] - sums["cancelled"]),
        task_completion_rate=share(sums["done"], total - sums["canceled"]),
        budget_planned=sums["planned"],
        budget_actual=sums["actual"],
        budget_utilisation=share(sums["actual"], sums["planned"]),
    )


async def projects(conn: Raw, scope: Scope) -> ProjectsFigures:
    """Compute how the projects are spread and which need help first."""
    by_status, by_priority = _zero(PROJECT_STATUSES), _zero(PRIORITIES)
    for row in await queries.project_groups(conn, scope):
        by_status[row["status"]] += row["projects"]
        if row["status"] != "archived":
            by_priority[row["priority"]] += row["projects"]
    running = [_judged(row) for row in await queries.standings(conn, scope)]
    health: Counter[str] = Counter(project.health.overall for project in running)
    running.sort(key=lambda project: (_SEVERITY[project.health.overall], -project.health.overdue))
    return ProjectsFigures(
        by_status=by_status,
        by_priority=by_priority,
        overdue=sum(1 for project in running if project.end_on is not None and project.end_on < scope.today),
        health={word: health[word] for word in _SEVERITY},
        worst=running[:_WORST],
    )


async def tasks(conn: Raw, scope: Scope) -> TasksFigures:
    """Compute how the tasks are spread and how fast they get done."""
    sums, due, days = await queries.totals(conn, scope), await queries.due(conn, scope), await _days(conn, scope)
    spans = await queries.durations(conn, scope)
    done = [day.done for day in days]
    return TasksFigures(
        by_status={status: sums[status] for status in STATUSES},
        by_priority={priority: sums[priority] for priority in PRIORITIES},
        by_assignee=_open_work(await queries.open_work(conn, scope, _TOP_ASSIGNEES)),
        overdue=due["overdue"],
        due_soon=due["soon"],
        days=days,
        throughput_per_week=round(sum(done[-WEEK * _WEEKS :]) / _WEEKS, 2),
        done_last_week=sum(done[-WEEK:]),
        done_week_before=sum(done[-2 * WEEK : -WEEK]),
        cycle_time=_durations(spans["cycle"], spans["cycles"]),
        lead_time=_durations(spans["lead"], spans["leads"]),
    )


async def team(conn: Raw, scope: Scope) -> TeamFigures:
    """Compute who is there and who carries how much."""
    people = await team_numbers(conn, scope)
    return TeamFigures(
        total=people.total,
        active=people.active,
        by_role=people.by_role,
        signed_in_last_week=people.signed_in_7d,
        open_work=_open_work(await queries.open_work(conn, scope, _TOP_TEAM)),
    )


async def project_figures(conn: Raw, scope: Scope, project_id: UUID) -> tuple[ProjectFigures, ProjectHealth] | None:
    """Compute one project's counters and its health; None where the tenant has no such project."""
    row = await queries.project(conn, scope, project_id)
    if row is None:
        return None
    planned, actual = row["budget_planned"], row["budget_actual"]
    figures = ProjectFigures(
        total_tasks=row["total"],
        by_status={status: row[status] for status in STATUSES},
        by_priority={priority: row[f"all_{priority}"] for priority in PRIORITIES},
        open_tasks=row["backlog"] + row["in_progress"] + row["blocked"],
        overdue_tasks=row["overdue"],
        due_soon_tasks=row["soon"],
        task_completion_rate=share(row["done"], row["total"] - row["canceled"]),
        progress=round(row["weight_progress"] / row["weight"], 2) if row["weight"] else 0.0,
        open_estimate_min=row["open_estimate"],
        budget_planned=planned,
        budget_actual=actual,
        budget_utilisation=share(actual or 0, planned or 0),
    )
    return figures, _judged(dict(row) | {"planned": planned or 0, "actual": actual or 0})


#: The families by name; the name is also the cache family that events bump.
FAMILIES: dict[str, Loader] = {"dashboard": dashboard, "projects": projects, "tasks": tasks, "team": team}


def standing_of(row: Mapping[str, Any]) -> Standing:
    return Standing(**{name: row[name] for name in ("total", "done", "canceled", "overdue", "planned", "actual")})


def _judged(row: Mapping[str, Any]) -> ProjectHealth:
    facts = {name: row[name] for name in ("id", "key", "name", "status", "end_on")}
    return ProjectHealth(**facts, health=health_of(standing_of(row)))


async def _days(conn: Raw, scope: Scope) -> list[DayFigures]:
    first = scope.today - timedelta(days=DAYS - 1)
    known = {row["day"]: row for row in await queries.days(conn, scope, first)}
    made = []
    for day in (first + timedelta(days=number) for number in range(DAYS)):
        row = known.get(day)
        made.append(DayFigures(day, row["created"], row["done"]) if row else DayFigures(day, 0, 0))
    return made


def _durations(percentiles: Sequence[float] | None, sample: int) -> Durations:
    if not sample or percentiles is None:
        return Durations(None, None, 0)
    middle, late = (round(value, 2) for value in percentiles)
    return Durations(middle, late, sample)


def _open_work(rows: Sequence[Mapping[str, Any]]) -> list[OpenWork]:
    return [OpenWork(row["member"], row["name"], row["open"]) for row in rows]


def _zero(names: Sequence[str]) -> dict[str, int]:
    return dict.fromkeys(names, 0)
