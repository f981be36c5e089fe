"""Every figure counted again, slowly, from the rows themselves: what the counters must agree with."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from zena.insight.health import Standing, health_of
from zena.kit.db import Raw
from zena.kit.scope import Scope

OPEN = {"backlog", "in_progress", "blocked"}
RUNNING = {"planning", "active", "on_hold"}
Rows = list[Mapping[str, Any]]


class Facts:
    """The raw rows of a firm and the day they are seen on."""

    def __init__(self, scope: Scope, projects: Rows, tasks: Rows, assignees: Rows) -> None:
        self.scope, self.today = scope, scope.today
        self.projects = [row for row in projects if row["deleted_at"] is None]
        self.shown = [row for row in self.projects if row["status"] != "archived"]
        ids = {row["id"] for row in self.shown}
        self.live = [row for row in tasks if row["deleted_at"] is None]
        self.tasks = [row for row in self.live if row["project_id"] in ids]
        self.assignees = assignees

    @classmethod
    async def read(cls, conn: Raw, scope: Scope) -> "Facts":
        tables = [await conn.fetch(f"SELECT * FROM {name}") for name in ("project", "task", "task_assignee")]  # noqa: S608 - our own names; values are bound
        return cls(scope, *tables)

    def open(self, tasks: Iterable[Mapping[str, Any]]) -> Rows:
        return [task for task in tasks if task["status"] in OPEN]

    def overdue(self, tasks: Iterable[Mapping[str, Any]]) -> int:
        return sum(1 for task in self.open(tasks) if task["due_on"] and task["due_on"] < self.today)

    def soon(self) -> int:
        last = self.today + timedelta(days=3)
        return sum(1 for task in self.open(self.tasks) if task["due_on"] and self.today <= task["due_on"] <= last)

    def by(self, column: str) -> Counter[str]:
        return Counter(task[column] for task in self.tasks)

    def dashboard(self) -> dict[str, Any]:
        status = self.by("status")
        kinds = Counter(project["status"] for project in self.shown)
        planned = sum(project["budget_planned"] or 0 for project in self.shown)
        actual = sum(project["budget_actual"] or 0 for project in self.shown)
        return {
            "total_projects": len(self.shown),
            "active_projects": kinds["active"],
            "completed_projects": kinds["completed"],
            "total_tasks": len(self.tasks),
            "done_tasks": status["done"],
            "in_progress_tasks": status["in_progress"],
            "blocked_tasks": status["blocked"],
            "overdue_tasks": self.overdue(self.tasks),
            "due_soon_tasks": self.soon(),
            "project_completion_rate": percent(kinds["completed"], len(self.shown) - kinds["cancelled"]),
            "task_completion_rate": percent(status["done"], len(self.tasks) - status["canceled"]),
            "budget_planned": planned,
            "budget_actual": actual,
            "budget_utilisation": percent(actual, planned),
        }

    def projects_family(self) -> dict[str, Any]:
        running = [project for project in self.shown if project["status"] in RUNNING]
        return {
            "by_status": Counter(project["status"] for project in self.projects),
            "by_priority": Counter(project["priority"] for project in self.shown),
            "overdue": sum(1 for project in running if project["end_on"] and project["end_on"] < self.today),
            "health": Counter(health_of(self.standing(project)).overall for project in running),
        }

    def standing(self, project: Mapping[str, Any]) -> Standing:
        tasks = [task for task in self.live if task["project_id"] == project["id"]]
        status = Counter(task["status"] for task in tasks)
        return Standing(
            total=len(tasks),
            done=status["done"],
            canceled=status["canceled"],
            overdue=self.overdue(tasks),
            planned=project["budget_planned"] or 0,
            actual=project["budget_actual"] or 0,
        )

    def per_day(self) -> dict[Any, tuple[int, int]]:
        """Return created and done per local day, of the last 30 days that have any."""
        created = Counter(task["created_day"] for task in self.tasks)
        done = Counter(task["closed_day"] for task in self.tasks if task["status"] == "done")
        first = self.today - timedelta(days=29)
        return {day: (created[day], done[day]) for day in sorted(created | done) if first <= day <= self.today}

    def open_work(self) -> dict[Any, int]:
        live = {task["id"] for task in self.open(self.live)}
        return dict(Counter(row["member_id"] for row in self.assignees if row["task_id"] in live))

    def spans(self, since: str) -> list[float]:
        """Return the days from a column to the end of each task done, sorted."""
        done = [task for task in self.live if task["status"] == "done" and task[since] is not None]
        return sorted((task["closed_at"] - task[since]).total_seconds() / 86400 for task in done)


def percent(part: int, whole: int) -> float:
    return round(part * 100 / whole, 2) if whole > 0 else 0.0


def quantile(ordered: list[float], share: float) -> float:
    """Return the interpolated percentile, as the database's percentile_cont defines it."""
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
