"""Keeping the counters true: actions say what a task counted before and counts now; the differences are written once.

A task in the trash counts in `trashed` alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from zena.kit.db import Raw
from zena.work.models import Task
from zena.work.workflow import OPEN

COLUMNS = (
    "backlog", "in_progress", "blocked", "done", "canceled", "trashed", "all_low", "all_normal", "all_high",
    "all_urgent", "open_low", "open_normal", "open_high", "open_urgent", "open_estimate", "weight", "weight_progress",
)  # fmt: skip

# One statement, rows in the order of their keys: two writers wait for each other and never cross.
_WRITE = f"""
WITH projects AS (
    INSERT INTO project_stats AS s (tenant_id, project_id, {", ".join(COLUMNS)})
    SELECT $1::uuid, r.* FROM jsonb_to_recordset($2::text::jsonb)
        AS r(project_id uuid, {", ".join(f"{c} bigint" for c in COLUMNS)}) ORDER BY r.project_id
    ON CONFLICT (tenant_id, project_id) DO UPDATE SET {", ".join(f"{c} = s.{c} + excluded.{c}" for c in COLUMNS)}
), dues AS (
    INSERT INTO project_due_stats AS s (tenant_id, due_on, project_id, open)
    SELECT $1::uuid, r.* FROM jsonb_to_recordset($3::text::jsonb) AS r(due_on date, project_id uuid, open bigint)
     ORDER BY r.due_on, r.project_id
    ON CONFLICT (tenant_id, due_on, project_id) DO UPDATE SET open = s.open + excluded.open
), days AS (
    INSERT INTO project_day_stats AS s (tenant_id, day, project_id, created, done)
    SELECT $1::uuid, r.* FROM jsonb_to_recordset($4::text::jsonb)
        AS r(day date, project_id uuid, created bigint, done bigint) ORDER BY r.day, r.project_id
    ON CONFLICT (tenant_id, day, project_id)
    DO UPDATE SET created = s.created + excluded.created, done = s.done + excluded.done
)
INSERT INTO assignee_stats AS s (tenant_id, member_id, open)
SELECT $1::uuid, r.* FROM jsonb_to_recordset($5::text::jsonb) AS r(member_id uuid, open bigint) ORDER BY r.member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET open = s.open + excluded.open"""  # noqa: S608 - our own column names
# Days whose last open task went: a firm's past would otherwise be read again with every dashboard.
_SWEEP = """
DELETE FROM project_due_stats s USING jsonb_to_recordset($2::text::jsonb) AS r(due_on date, project_id uuid)
 WHERE s.tenant_id = $1 AND s.due_on = r.due_on AND s.project_id = r.project_id AND s.open = 0"""


def weight_of(estimate_min: int | None) -> int:
    """A task's weight in its project's progress: its estimate, or 1 (domain contract, section 3)."""
    return estimate_min or 1


@dataclass(frozen=True, slots=True)
class Counted:
    """What one task contributes."""

    project: UUID
    status: str
    priority: str
    progress: int
    estimate: int | None
    due_on: date | None
    created_day: date
    closed_day: date | None
    assignees: frozenset[UUID]
    trashed: bool

    @classmethod
    def of(cls, task: Task) -> "Counted":
        return cls(
            project=task.project_id,
            status=task.status,
            priority=task.priority,
            progress=task.progress,
            estimate=task.estimate_min,
            due_on=task.due_on,
            created_day=task.created_day,
            closed_day=task.closed_day,
            assignees=frozenset(task.assignee_ids),
            trashed=task.deleted_at is not None,
        )


@dataclass(slots=True)
class Tally:
    """The differences of one transaction."""

    projects: dict[UUID, Counter[str]] = field(default_factory=dict)
    dues: Counter[tuple[date, UUID]] = field(default_factory=Counter)
    days: dict[tuple[date, UUID], Counter[str]] = field(default_factory=dict)
    people: Counter[UUID] = field(default_factory=Counter)

    def change(self, before: Counted | None, after: Counted | None) -> None:
        """Count a task as it is now instead of as it was; None: there was, or is, no such row."""
        if before == after:
            return
        for counted, sign in ((before, -1), (after, 1)):
            if counted is not None:
                self.add(counted, sign)

    def add(self, counted: Counted, times: int) -> None:
        """Count `times` tasks like this one more (or fewer)."""
        sums = self.projects.setdefault(counted.project, Counter())
        if counted.trashed:
            sums["trashed"] += times
            return
        sums[counted.status] += times
        sums[f"all_{counted.priority}"] += times
        self._day("created", counted.created_day, counted.project, times)
        if counted.status == "done" and counted.closed_day is not None:
            self._day("done", counted.closed_day, counted.project, times)
        if counted.status != "canceled":
            weight = weight_of(counted.estimate) * times
            sums["weight"] += weight
            sums["weight_progress"] += weight * counted.progress
        if counted.status in OPEN:
            self._open(counted, sums, times)

    def merge(self, other: "Tally") -> None:
        """Add another's differences to these."""
        for project, sums in other.projects.items():
            self.projects.setdefault(project, Counter()).update(sums)
        for day, counts in other.days.items():
            self.days.setdefault(day, Counter()).update(counts)
        self.dues.update(other.dues)
        self.people.update(other.people)

    async def write(self, conn: Raw, tenant: UUID) -> None:
        """Apply the differences; the rows stay locked until commit, so this comes last in an action."""
        projects = [
            {"project_id": project, **dict.fromkeys(COLUMNS, 0), **changed}
            for project, changed in self.projects.items()
            if any(changed.values())
        ]
        dues = [{"due_on": day, "project_id": project, "open": n} for (day, project), n in self.dues.items() if n]
        days = [
            {"day": day, "project_id": project, "created": n["created"], "done": n["done"]}
            for (day, project), n in self.days.items()
            if any(n.values())
        ]
        people = [{"member_id": member, "open": n} for member, n in self.people.items() if n]
        if projects or dues or days or people:
            await conn.execute(_WRITE, tenant, *map(_encoded, (projects, dues, days, people)))
        gone = [{"due_on": day, "project_id": project} for (day, project), n in self.dues.items() if n < 0]
        if gone:
            await conn.execute(_SWEEP, tenant, _encoded(gone))

    def _open(self, counted: Counted, sums: Counter[str], times: int) -> None:
        sums[f"open_{counted.priority}"] += times
        sums["open_estimate"] += (counted.estimate or 0) * times
        for member in counted.assignees:
            self.people[member] += times
        if counted.due_on is not None:
            self.dues[counted.due_on, counted.project] += times

    def _day(self, what: str, day: date, project: UUID, times: int) -> None:
        self.days.setdefault((day, project), Counter())[what] += times


def _encoded(rows: Sequence[Mapping[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
