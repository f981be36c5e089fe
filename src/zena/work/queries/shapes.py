"""How tasks and projects look in the API: each shape once as a Struct, once as the SQL that makes its JSON.

A test compares the two. The database writes the JSON of the hot reads: no row is turned into objects in between.
"""

from datetime import date, datetime
from functools import cache
from typing import Final
from uuid import UUID

import msgspec


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """A task in a list. `key` is what people call it; minutes are working minutes; `progress` is 0..100."""

    id: UUID
    key: str
    number: int
    project_id: UUID
    name: str
    status: str
    priority: str
    progress: int
    assignee_ids: list[UUID]
    label_ids: list[UUID]
    start_on: date | None
    due_on: date | None
    estimate_min: int | None
    spent_min: int
    parent_id: UUID | None
    depth: int
    rank: str
    internal: bool
    block_reason: str | None
    cancel_reason: str | None
    started_at: datetime | None
    closed_at: datetime | None
    closed_by: UUID | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    version: int


class TaskDetail(TaskRow, frozen=True, kw_only=True):
    """One task whole. `description` is Markdown; `deleted_at` is set in the trash."""

    description: str
    own_progress: int
    deleted_at: datetime | None


class TaskCounts(msgspec.Struct, frozen=True):
    """The live tasks of a project by status, and the open ones past their due date."""

    backlog: int
    in_progress: int
    blocked: int
    done: int
    canceled: int
    overdue: int


class ProjectRow(msgspec.Struct, frozen=True, kw_only=True):
    """A project in a list. Money is in minor units, and null for those who may not see cost.

    `progress` (0..100) and `tasks` are null for clients: they would count what clients may not see.
    """

    id: UUID
    key: str
    name: str
    status: str
    priority: str
    risk_level: str
    owner_id: UUID | None
    start_on: date | None
    end_on: date | None
    budget_planned: int | None
    budget_actual: int | None
    tags: list[str]
    position: str
    progress: float | None
    tasks: TaskCounts | None
    my_role: str | None
    completed_at: datetime | None
    archived_at: datetime | None
    archived_from: str | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    version: int


class ProjectDetail(ProjectRow, frozen=True, kw_only=True):
    """One project whole. `description` is Markdown; `deleted_at` is set in the trash."""

    description: str
    deleted_at: datetime | None


class ProjectMemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's part in a project."""

    member_id: UUID
    name: str
    firm_role: str
    role: str
    added_at: datetime


class LabelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A label of the firm; `hue` 0..11 is its colour in the palette."""

    id: UUID
    name: str
    hue: int
    version: int


class DependencyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One dependency of a task, seen from it: `direction` tells on which side the other task stands."""

    id: UUID
    direction: str
    type: str
    lag_min: int
    task_id: UUID
    key: str
    name: str
    status: str
    project_id: UUID
    start_on: date | None
    due_on: date | None


_TASK: Final = """
 t.id, p.key || '-' || t.number AS key, t.number, t.project_id, t.name, t.status, t.priority, t.progress,
 t.assignee_ids, t.label_ids, t.start_on, t.due_on, t.estimate_min, t.spent_min, t.parent_id, t.depth, t.rank,
 t.internal, t.block_reason, t.cancel_reason, t.started_at, t.closed_at, t.closed_by, t.created_by, t.created_at,
 t.updated_at, t.version"""

_PROJECT: Final = """
 p.id, p.key, p.name, p.status, p.priority, p.risk_level, p.owner_id, p.start_on, p.end_on,
 CASE WHEN {cost} THEN p.budget_planned END AS budget_planned,
 CASE WHEN {cost} THEN p.budget_actual END AS budget_actual, p.tags, p.position,
 CASE WHEN {inside} THEN coalesce(round(s.weight_progress / nullif(s.weight, 0)::numeric, 2), 0) END AS progress,
 CASE WHEN {inside} THEN json_build_object('backlog', s.backlog, 'in_progress', s.in_progress, 'blocked', s.blocked,
 'done', s.done, 'canceled', s.canceled, 'overdue', coalesce(d.overdue, 0)) END AS tasks, m.role AS my_role,
 p.completed_at, p.archived_at, p.archived_from, p.created_by, p.created_at, p.updated_at, p.version"""


@cache
def task_json(*, whole: bool = False) -> str:
    """Return the SQL expression of a task's JSON, over `task t` and `project p`."""
    return _json(_TASK + (", t.description, t.own_progress, t.deleted_at" if whole else ""))


@cache
def project_json(cost: str, inside: str, *, whole: bool = False) -> str:
    """Return the SQL expression of a project's JSON, over `project p` joined with PROJECT_SUMS.

    `cost` and `inside` are placeholders of booleans: may see money; is not a client.
    """
    return _json(_PROJECT.format(cost=cost, inside=inside) + (", p.description, p.deleted_at" if whole else ""))


@cache
def project_sums(tenant: str, member: str, today: str) -> str:
    """Return the joins that `project_json` reads: counters, overdue, the actor's part."""
    return f"""
 LEFT JOIN project_stats s ON s.tenant_id = p.tenant_id AND s.project_id = p.id
 LEFT JOIN project_member m ON m.tenant_id = p.tenant_id AND m.project_id = p.id AND m.member_id = {member}
 LEFT JOIN (SELECT o.project_id, sum(o.open)::bigint AS overdue FROM project_due_stats o
 WHERE o.tenant_id = {tenant} AND o.due_on < {today} GROUP BY o.project_id) d ON d.project_id = p.id"""  # noqa: S608 - placeholders only


def _json(columns: str) -> str:
    return f"(SELECT row_to_json(x) FROM (SELECT {columns}) x)::text"  # noqa: S608 - our own column names
