"""Many tasks in one go: imports, copies of projects, demonstration data. Thousands of rows cost a few statements."""

from collections import Counter
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.db import Raw
from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.work.actions.dependencies import MAX_PER_TASK
from zena.work.actions.place import take_numbers
from zena.work.actions.planned import At, NewLink, NewTask, Row
from zena.work.change import Change, change
from zena.work.counters import Counted
from zena.work.fields import check_members
from zena.work.policy import Ground, Lock, access_ground, check_verb
from zena.work.progress import MAX_DEPTH, checked_depth, effective, round_half_up
from zena.work.rank import rank_of
from zena.work.workflow import check_writable

CLOSED: Final = frozenset({"done", "canceled"})
STARTED: Final = frozenset({"in_progress", "blocked", "done"})
#: What a row has from its task as it stands.
TAKEN: Final = (
    "id", "name", "description", "status", "priority", "parent_id", "start_on", "due_on", "estimate_min", "spent_min",
    "internal",
)  # fmt: skip


#: Column and type of what is written per task; lists travel as literals.
COLUMNS: Final = {
    "id": "uuid", "number": "bigint", "name": "text", "description": "text", "status": "text", "priority": "text",
    "parent_id": "uuid", "depth": "smallint", "rank": "text", "start_on": "date", "due_on": "date",
    "estimate_min": "bigint", "spent_min": "bigint", "own_progress": "smallint", "progress": "smallint",
    "internal": "boolean", "block_reason": "text", "cancel_reason": "text", "started_at": "timestamptz",
    "closed_at": "timestamptz", "closed_day": "date", "closed_by": "uuid", "created_at": "timestamptz",
    "created_day": "date", "assignee_ids": "text", "label_ids": "text",
}  # fmt: skip
_GIVEN: Final = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(COLUMNS.values(), 4))
_TAKEN: Final = ", ".join(
    f"n.{name}::uuid[]" if name in {"assignee_ids", "label_ids"} else f"n.{name}" for name in COLUMNS
)
_INSERT: Final = (
    f"INSERT INTO task (tenant_id, project_id, created_by, updated_at, {', '.join(COLUMNS)})"  # noqa: S608 - our own names
    f" SELECT $1, $2, $3, n.created_at, {_TAKEN} FROM unnest({_GIVEN}) AS n({', '.join(COLUMNS)})"
)
_ASSIGN: Final = (
    "INSERT INTO task_assignee (tenant_id, task_id, member_id) SELECT $1, n.* FROM unnest($2::uuid[], $3::uuid[]) AS n"
)
_LABEL: Final = (
    "INSERT INTO task_label (tenant_id, task_id, label_id) SELECT $1, n.* FROM unnest($2::uuid[], $3::uuid[]) AS n"
)
_LINK: Final = (
    "INSERT INTO task_dependency (tenant_id, created_by, id, predecessor_id, successor_id, type, lag_min)"
    " SELECT $1, $2, n.* FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::bigint[]) AS n"
)


async def insert_tasks(
    session: AsyncSession,
    scope: Scope,
    *,
    project_id: UUID,
    tasks: Sequence[NewTask],
    links: Sequence[NewLink] = (),
) -> range:
    """Add checked tasks at the end of a project, with links among them; return their numbers.

    All comes out as if each had been created alone, but nothing is recorded: the caller records one event for all.
    """
    async with change(session, scope) as made:
        ground = await access_ground(session, scope, project_id, Permission.TASKS_CREATE, lock=Lock.ALONE)
        check_writable(ground.status)
        await _check_people(made, ground, tasks)
        rows = await insert_many(made, ground, tasks, links)
        return range(rows[0]["number"], rows[-1]["number"] + 1) if rows else range(0)


async def insert_many(
    made: Change, ground: Ground, tasks: Sequence[NewTask], links: Sequence[NewLink] = (), at: At | None = None
) -> list[Row]:
    """Write tasks within a change that is open already, and return their rows.

    People and labels have been checked. Where a task has a parent, the project is held alone.
    """
    if not tasks:
        return []
    first = await take_numbers(made, ground.id, len(tasks))
    at = at or At()
    depths = _depths(tasks, at.above)
    shown = _progress(tasks, depths)
    rows = [
        _row(made.scope, task, number, (depths[task.id], shown[task.id])) for number, task in enumerate(tasks, first)
    ]
    if at.rank is not None:
        rows[0]["rank"] = at.rank
    conn, tenant = made.conn, made.scope.tenant
    columns = [[row[name] for row in rows] for name in COLUMNS]
    await conn.execute(_INSERT, tenant, ground.id, made.scope.member, *columns)
    await _pairs(conn, _ASSIGN, tenant, [(task.id, one) for task in tasks for one in task.assignees])
    await _pairs(conn, _LABEL, tenant, [(task.id, one) for task in tasks for one in task.labels])
    await _link(conn, made, tasks, links)
    for task, row in zip(tasks, rows, strict=True):
        made.tally.add(_counted(ground, task, row), 1)
    return rows


async def _check_people(made: Change, ground: Ground, tasks: Sequence[NewTask]) -> None:
    people = {one for task in tasks for one in task.assignees}
    if people:
        check_verb(made.scope, ground, Permission.TASKS_ASSIGN)
        await check_members(made.session, made.scope, list(people))


async def _pairs(conn: Raw, statement: str, tenant: UUID, pairs: list[tuple[UUID, UUID]]) -> None:
    if pairs:
        await conn.execute(statement, tenant, *map(list, zip(*pairs, strict=True)))


async def _link(conn: Raw, made: Change, tasks: Sequence[NewTask], links: Sequence[NewLink]) -> None:
    """Write links among the new tasks: nobody else can link those yet, so only they can close a circle."""
    if not links:
        return
    order: TopologicalSorter[UUID] = TopologicalSorter({task.id: () for task in tasks})
    sides: Counter[tuple[str, UUID]] = Counter()
    for link in links:
        order.add(link.successor_id, link.predecessor_id)
        sides.update([("after", link.successor_id), ("before", link.predecessor_id)])
    if len(list(order.static_order())) > len(tasks):
        raise ValueError("links join the new tasks only")
    if max(sides.values()) > MAX_PER_TASK:
        detail = N_("A task has at most %(most)s dependencies on each side.", most=MAX_PER_TASK)
        raise Invalid(detail=detail, code="QUOTA_EXCEEDED")
    rows = [(new_id(), link.predecessor_id, link.successor_id, link.kind, link.lag_min) for link in links]
    await conn.execute(_LINK, made.scope.tenant, made.scope.member, *map(list, zip(*rows, strict=True)))


def _depths(tasks: Sequence[NewTask], above: Mapping[UUID, int]) -> dict[UUID, int]:
    """Return each task's level; ValueError for a parent that nobody knows."""
    parents = {task.id: task.parent_id for task in tasks}
    depths: dict[UUID, int] = {}
    for task in tasks:
        depth, parent = 0, task.parent_id
        while parent is not None and depth < MAX_DEPTH:
            if parent in above:
                depth, parent = depth + above[parent] + 1, None
            elif parent in parents:
                depth, parent = depth + 1, parents[parent]
            else:
                raise ValueError("a parent is not among the new tasks")
        depths[task.id] = checked_depth(depth)
    return depths


def _progress(tasks: Sequence[NewTask], depths: Mapping[UUID, int]) -> dict[UUID, int]:
    """Return what counts as each task's progress, from the deepest up."""
    shown: dict[UUID, int] = {}
    below: dict[UUID, list[int]] = {}
    for task in sorted(tasks, key=lambda one: -depths[one.id]):
        parts = below.get(task.id)
        mean = None if not parts else round_half_up(sum(parts), len(parts))
        shown[task.id] = effective(task.status, task.progress, mean)
        if task.parent_id is not None and task.status != "canceled":
            below.setdefault(task.parent_id, []).append(shown[task.id])
    return shown


def _row(scope: Scope, task: NewTask, number: int, depth_and_progress: tuple[int, int]) -> Row:
    zone = ZoneInfo(scope.timezone)
    created = task.created_at or scope.at
    closed = (task.closed_at or scope.at) if task.status in CLOSED else None
    started = task.started_at or (created if task.status in STARTED else None)
    taken = {name: getattr(task, name) for name in TAKEN}
    return taken | {
        "number": number,
        "rank": rank_of(number),
        "depth": depth_and_progress[0],
        "own_progress": task.progress,
        "progress": depth_and_progress[1],
        "block_reason": task.reason if task.status == "blocked" else None,
        "cancel_reason": task.reason if task.status == "canceled" else None,
        "started_at": started,
        "closed_at": closed,
        "closed_day": closed and closed.astimezone(zone).date(),
        "closed_by": scope.member if closed else None,
        "created_at": created,
        "created_day": created.astimezone(zone).date(),
        "assignee_ids": _literal(task.assignees),
        "label_ids": _literal(task.labels),
    }


def _literal(ids: Sequence[UUID]) -> str:
    return f"{{{','.join(map(str, ids))}}}"


def _counted(ground: Ground, task: NewTask, row: Mapping[str, Any]) -> Counted:
    return Counted(
        project=ground.id,
        status=task.status,
        priority=task.priority,
        progress=row["progress"],
        estimate=task.estimate_min,
        due_on=task.due_on,
        created_day=row["created_day"],
        closed_day=row["closed_day"],
        assignees=frozenset(task.assignees),
        trashed=False,
    )
