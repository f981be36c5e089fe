"""The families of key figures as they are cached and answered. Rates are percent with two decimals, 0 of nothing."""

from datetime import date, datetime
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from zena.insight.health import Health


class DashboardFigures(msgspec.Struct, kw_only=True):
    """The firm at a glance. Archived projects and their tasks are left out; money is None without sight of cost."""

    total_projects: int
    active_projects: int
    completed_projects: int
    total_tasks: int
    done_tasks: int
    in_progress_tasks: int
    blocked_tasks: int
    overdue_tasks: int
    due_soon_tasks: int
    members_total: int
    members_active: int
    project_completion_rate: float
    task_completion_rate: float
    budget_planned: int | None
    budget_actual: int | None
    budget_utilisation: float | None

    def without_cost(self) -> "DashboardFigures":
        return msgspec.structs.replace(self, budget_planned=None, budget_actual=None, budget_utilisation=None)


class ProjectHealth(msgspec.Struct, kw_only=True):
    """One running project and how it stands."""

    id: UUID
    key: str
    name: str
    status: str
    end_on: date | None
    health: Health


class ProjectsFigures(msgspec.Struct, kw_only=True):
    """All projects by status and priority; `overdue` and `health` over those that run (planning, active, on hold).

    `worst` holds the running projects most in need, the worst first.
    """

    by_status: dict[str, int]
    by_priority: dict[str, int]
    overdue: int
    health: dict[str, int]
    worst: list[ProjectHealth]

    def without_cost(self) -> "ProjectsFigures":
        plain = [msgspec.structs.replace(project, health=project.health.without_cost()) for project in self.worst]
        return msgspec.structs.replace(self, worst=plain)


class OpenWork(msgspec.Struct):
    """Open tasks of one member."""

    member: UUID
    name: str
    open: int


class DayFigures(msgspec.Struct):
    """Tasks created and done on one day of the tenant's calendar."""

    day: date
    created: int
    done: int


class Durations(msgspec.Struct):
    """Days at the 50th and 85th percentile over the `sample` tasks done last; None where there are none."""

    p50: float | None
    p85: float | None
    sample: int


class TasksFigures(msgspec.Struct, kw_only=True):
    """All tasks of projects that are not archived. Cycle time runs from the start of work, lead time from creation."""

    by_status: dict[str, int]
    by_priority: dict[str, int]
    by_assignee: list[OpenWork]
    overdue: int
    due_soon: int
    days: list[DayFigures]
    throughput_per_week: float
    done_last_week: int
    done_week_before: int
    cycle_time: Durations
    lead_time: Durations


class TeamFigures(msgspec.Struct, kw_only=True):
    """The people of the firm. Active: membership not ended and account not switched off."""

    total: int
    active: int
    by_role: dict[str, int]
    signed_in_last_week: int
    open_work: list[OpenWork]


class ProjectFigures(msgspec.Struct, kw_only=True):
    """One project's counters."""

    total_tasks: int
    by_status: dict[str, int]
    by_priority: dict[str, int]
    open_tasks: int
    overdue_tasks: int
    due_soon_tasks: int
    task_completion_rate: float
    progress: float
    open_estimate_min: int
    budget_planned: int | None
    budget_actual: int | None
    budget_utilisation: float | None

    def without_cost(self) -> "ProjectFigures":
        return msgspec.structs.replace(self, budget_planned=None, budget_actual=None, budget_utilisation=None)


F = TypeVar("F")


class Past(msgspec.Struct):
    """The figures of an earlier day, to compare with. `days_ago` names the period."""

    day: date
    days_ago: int
    figures: dict[str, float]


class Kpis(msgspec.Struct, Generic[F], kw_only=True):
    """A family of figures, when and from which version of the tenant's data it was computed."""

    family: str
    data: F
    generated_at: datetime
    version: int
    past: Past | None = None
