"""Firms of any size, written by COPY: what years of work leave behind, without the years.

Runs as the superuser: row-level security refuses COPY to the application's roles, and foreign keys of rows that were
made to fit need not be checked one by one. Counters are then computed by the work slice's own statements.
"""

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from bench import people
from zena.kit.db import asyncpg_dsn
from zena.kit.ids import new_id
from zena.work.rank import rank_of

#: Of every firm here: their day decides what is overdue.
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_CHUNK = 20_000
_STATUSES = ("backlog", "in_progress", "blocked", "done", "canceled")
_STATUS_WEIGHTS = (35, 12, 3, 45, 5)
_PRIORITIES = ("low", "normal", "high", "urgent")
_PRIORITY_WEIGHTS = (20, 55, 20, 5)
_WORK = (
    "Pour",
    "Inspect",
    "Install",
    "Survey",
    "Order",
    "Approve",
    "Paint",
    "Weld",
    "Test",
    "Excavate",
    "Deliver",
    "Fix",
)
_THINGS = (
    "slab",
    "column",
    "rebar",
    "façade panel",
    "pump",
    "duct",
    "cable tray",
    "drawing",
    "formwork",
    "pile",
    "window",
)
_PLACES = ("level 1", "level 2", "level 7", "roof", "basement", "core A", "core B", "gate", "pier 3", "yard", "lobby")
_TASK = [
    "tenant_id", "id", "project_id", "number", "name", "description", "status", "priority", "rank", "assignee_ids",
    "start_on", "due_on", "estimate_min", "own_progress", "progress", "block_reason", "cancel_reason", "started_at",
    "closed_at", "closed_day", "closed_by", "created_by", "created_at", "created_day", "updated_at",
]  # fmt: skip


@dataclass(slots=True)
class Firm:
    """A tenant to be measured: what a caller needs to speak to it."""

    tenant: UUID
    token: str
    cookie: str
    members: list[UUID]
    projects: list[UUID] = field(default_factory=list)
    tasks: list[UUID] = field(default_factory=list)  # some of the first project's


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a firm is: `first` of its tasks in the first project, the others spread over the rest."""

    tasks: int
    projects: int = 20
    first: int | None = None

    def spread(self) -> list[int]:
        first = self.tasks // self.projects if self.first is None else self.first
        rest = self.tasks - first
        others = self.projects - 1
        return [first, *(rest // others + (number < rest % others) for number in range(others))] if others else [first]


async def make_firm(superuser_url: str, shape: Shape) -> Firm:
    """Write one firm whole and return how to reach it."""
    conn = await asyncpg.connect(asyncpg_dsn(superuser_url), command_timeout=1800)
    try:
        async with conn.transaction():
            await conn.execute("SET LOCAL session_replication_role = replica")
            firm = Firm(new_id(), f"zat_{secrets.token_urlsafe(32)}", secrets.token_urlsafe(32), [])
            firm.members = await people.write(conn, firm.tenant, firm.token, firm.cookie)
            for number, tasks in enumerate(shape.spread()):
                await _write_project(conn, firm, number, tasks)
            await people.count(conn, firm.tenant)
    finally:
        await conn.close()
    return firm


async def settle(superuser_url: str) -> None:
    """Bring the statistics up to date and the pages to disk, so that neither happens while something is measured."""
    conn = await asyncpg.connect(asyncpg_dsn(superuser_url), command_timeout=1800)
    try:
        await conn.execute("VACUUM (ANALYZE)")
        await conn.execute("CHECKPOINT")
    finally:
        await conn.close()


async def _write_project(conn: Any, firm: Firm, number: int, tasks: int) -> None:
    project, chance = new_id(), random.Random(number)  # noqa: S311 - the same data in each run
    firm.projects.append(project)
    await people.write_project(conn, firm.tenant, project, number, firm.members[number % len(firm.members)], tasks)
    rows = _rows(firm, project, tasks, chance)
    while chunk := list(islice(rows, _CHUNK)):
        await conn.copy_records_to_table("task", records=chunk, columns=_TASK)
        links = [(row[0], row[1], member) for row in chunk for member in row[9]]
        await conn.copy_records_to_table("task_assignee", records=links, columns=["tenant_id", "task_id", "member_id"])
        if number == 0 and not firm.tasks:
            firm.tasks = [row[1] for row in chunk[:: max(1, len(chunk) // 500)]]


def _rows(firm: Firm, project: UUID, count: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    for number in range(1, count + 1):
        created = now - timedelta(minutes=chance.randrange(60 * 24 * 365))
        status = chance.choices(_STATUSES, _STATUS_WEIGHTS)[0]
        assignees = chance.sample(firm.members, chance.choices((0, 1, 2), (20, 65, 15))[0])
        start, due = _dates(chance, now.astimezone(ZONE).date())
        started = None if status == "backlog" else _between(chance, created, now)
        closed = _between(chance, started, now) if started and status in {"done", "canceled"} else None
        progress = 100 if status == "done" else 0 if status == "backlog" else chance.randrange(10, 90, 10)
        yield (
            firm.tenant, new_id(), project, number, _name(chance), "", status,
            chance.choices(_PRIORITIES, _PRIORITY_WEIGHTS)[0], rank_of(number), assignees, start, due,
            chance.choice((None, 60, 120, 240, 480, 960)), progress, progress,
            "waiting for material" if status == "blocked" else None,
            "no longer needed" if status == "canceled" else None,
            started, closed, closed and closed.astimezone(ZONE).date(), firm.members[0] if closed else None,
            firm.members[0], created, created.astimezone(ZONE).date(), closed or started or created,
        )  # fmt: skip


def _between(chance: random.Random, first: datetime, last: datetime) -> datetime:
    return first + (last - first) * chance.random() ** 3


def _dates(chance: random.Random, today: date) -> tuple[date | None, date | None]:
    """Seven of ten tasks are due some day; most of those ahead of us."""
    if chance.random() >= 0.7:  # noqa: PLR2004 - the share the docstring names
        return None, None
    due = today + timedelta(days=chance.randrange(-20, 160))
    return due - timedelta(days=chance.randrange(1, 20)), due


def _name(chance: random.Random) -> str:
    return f"{chance.choice(_WORK)} {chance.choice(_THINGS)}, {chance.choice(_PLACES)} {chance.randrange(1, 400)}"
