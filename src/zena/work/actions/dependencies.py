"""Which task waits for which. The graph of a firm never has a circle, also when two people link at once."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Conflict, Invalid, NotFound
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.work.change import Change, change
from zena.work.events import TaskLinked, TaskUnlinked
from zena.work.fields import check_choice, check_range
from zena.work.models import TaskDependency
from zena.work.policy import Lock, access_task
from zena.work.workflow import check_writable

TYPES = ("FS", "SS", "FF", "SF")
MAX_PER_TASK = 100
#: A year of working minutes, either way.
MAX_LAG = 366 * 24 * 60

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
# Everything the wanted predecessor waits for, once each: as cheap for a mesh of tasks as for a chain.
_EDGES = text("""
WITH RECURSIVE up(id) AS (
    SELECT CAST(:start AS uuid)
    UNION
    SELECT d.predecessor_id FROM up JOIN task_dependency d ON d.tenant_id = :tenant AND d.successor_id = up.id
)
SELECT d.successor_id, d.predecessor_id
  FROM up JOIN task_dependency d ON d.tenant_id = :tenant AND d.successor_id = up.id""")
_KEYS = text("""
SELECT t.id, p.key || '-' || t.number AS key
  FROM task t JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id
 WHERE t.tenant_id = :tenant AND t.id = ANY(:ids)""")


async def link_tasks(
    session: AsyncSession, scope: Scope, *, successor_id: UUID, predecessor_id: UUID, kind: str = "FS", lag_min: int = 0
) -> TaskDependency:
    """Let one task wait for another. Refused: itself, twice, a circle (named), more than 100 on one task."""
    check_choice({"type": kind}, "type", TYPES)
    check_range({"lag_min": lag_min}, "lag_min", -MAX_LAG, MAX_LAG)
    async with change(session, scope) as made:
        # One writer of a firm's graph at a time: two links that are harmless alone may close a circle together.
        await session.execute(_LOCK, {"name": f"dependencies:{scope.tenant}"})
        after = await access_task(session, scope, successor_id, Permission.TASKS_UPDATE, lock=Lock.SHARED)
        before = await access_task(session, scope, predecessor_id, Permission.TASKS_VIEW)
        check_writable(after.ground.status)
        await check_link(made, after.task.id, before.task.id)
        link = TaskDependency(
            tenant_id=scope.tenant,
            id=new_id(),
            predecessor_id=before.task.id,
            successor_id=after.task.id,
            type=kind,
            lag_min=lag_min,
            created_by=scope.member,
            created_at=scope.at,
        )
        await _add(made, link)
        made.record(
            TaskLinked(
                **after.told(hidden=before.task.internal),
                predecessor=before.task.id,
                predecessor_key=before.key,
                kind=kind,
            )
        )
        return link


async def unlink_tasks(session: AsyncSession, scope: Scope, *, successor_id: UUID, dependency_id: UUID) -> None:
    """Take a dependency away; it is found under its successor only."""
    async with change(session, scope) as made:
        after = await access_task(session, scope, successor_id, Permission.TASKS_UPDATE, lock=Lock.SHARED)
        check_writable(after.ground.status)
        query = select(TaskDependency).where(
            TaskDependency.tenant_id == scope.tenant,
            TaskDependency.id == dependency_id,
            TaskDependency.successor_id == after.task.id,
        )
        link = await session.scalar(query)
        if link is None:
            raise NotFound.of("dependency", dependency_id)
        keys = await _keys(made, [link.predecessor_id])
        await session.delete(link)
        subject, project, other = after.task.id, after.ground.id, link.predecessor_id
        made.record(
            TaskUnlinked(
                subject=subject, project=project, key=after.key, predecessor=other, predecessor_key=keys[other]
            )
        )


async def check_link(made: Change, successor: UUID, predecessor: UUID) -> None:
    """Refuse a link to itself, past the limits, or one that closes a circle. The firm's graph is locked."""
    if predecessor == successor:
        raise Invalid.field("predecessor_id", N_("A task cannot wait for itself."), "self")
    for column, task in ((TaskDependency.successor_id, successor), (TaskDependency.predecessor_id, predecessor)):
        query = select(func.count()).where(TaskDependency.tenant_id == made.scope.tenant, column == task)
        if (await made.session.scalar(query) or 0) >= MAX_PER_TASK:
            detail = N_("A task has at most %(most)s dependencies on each side.", most=MAX_PER_TASK)
            raise Invalid(detail=detail, code="QUOTA_EXCEEDED")
    rows = await made.session.execute(_EDGES, {"tenant": made.scope.tenant, "start": predecessor})
    edges: dict[UUID, list[UUID]] = {}
    for after, before in rows:
        edges.setdefault(after, []).append(before)
    path = _path(edges, predecessor, successor)
    if path:
        keys = await _keys(made, path)
        names = [keys[step] for step in (successor, *path)]
        detail = N_("This would close a circle: %(keys)s.", keys=" → ".join(names))
        raise Invalid(detail=detail, code="DEPENDENCY_CYCLE", details={"cycle": names})


def _path(edges: Mapping[UUID, list[UUID]], start: UUID, goal: UUID) -> list[UUID]:
    """Return the way from start to goal, both included, one of the shortest; empty when there is none."""
    came_from: dict[UUID, UUID | None] = {start: None}
    frontier = [start]
    while frontier and goal not in came_from:
        frontier = [
            before
            for after in frontier
            for before in edges.get(after, [])
            if before not in came_from and came_from.setdefault(before, after) is after
        ]
    step: UUID | None = goal if goal in came_from else None
    path: list[UUID] = []
    while step is not None:
        path.append(step)
        step = came_from[step]
    return path[::-1]


async def _add(made: Change, link: TaskDependency) -> None:
    made.session.add(link)
    try:
        async with made.session.begin_nested():
            await made.session.flush()
    except IntegrityError as error:
        raise Conflict(N_("These two tasks are linked already.")) from error


async def _keys(made: Change, tasks: list[UUID]) -> dict[UUID, str]:
    rows = await made.session.execute(_KEYS, {"tenant": made.scope.tenant, "ids": tasks})
    return {row.id: row.key for row in rows}
