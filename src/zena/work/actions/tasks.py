"""Making tasks and changing their fields. Their status is in move.py, their people and labels in links.py."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Invalid, NotFound
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.work.actions.insert import insert_many
from zena.work.actions.move import check_seen
from zena.work.actions.people import MAX_ASSIGNEES, MAX_LABELS, check_labels, check_most
from zena.work.actions.place import Place, rank_at
from zena.work.actions.planned import At, NewTask
from zena.work.change import Change, change
from zena.work.counters import Counted
from zena.work.events import TaskCreated, TaskUpdated
from zena.work.fields import (
    MAX_MINUTES,
    Seen,
    check_common,
    check_dates,
    check_known,
    check_members,
    check_range,
    diff,
)
from zena.work.models import Task
from zena.work.policy import Ground, Held, Lock, access_ground, access_task, check_verb
from zena.work.progress import checked_depth, mean_of_children, refresh, roll_up
from zena.work.workflow import check_writable

PLAIN: Final = frozenset({
    "name", "description", "priority", "parent_id", "start_on", "due_on", "estimate_min", "spent_min", "progress",
    "internal",
})  # fmt: skip
LINKS: Final = frozenset({"assignees", "labels"})

# The task and everything below it, deepest first.
_SUBTREE = text("""
WITH RECURSIVE tree(id, level) AS (
    SELECT t.id, 0 FROM task t WHERE t.tenant_id = :tenant AND t.id = :task
    UNION ALL
    SELECT t.id, tree.level + 1 FROM tree JOIN task t ON t.tenant_id = :tenant AND t.parent_id = tree.id
)
SELECT id, level FROM tree ORDER BY level DESC, id""")


async def create_task(
    session: AsyncSession, scope: Scope, *, project_id: UUID, name: str, place: Place | None = None, **fields: Any
) -> Held:
    """Add a task to a project's backlog with its next number, at the end of its order unless a place is given.

    `fields`: any of PLAIN, and `assignees` (needs tasks.assign as well) and `labels`.
    """
    async with change(session, scope) as made:
        return await create_one(made, project_id, {"name": name, **fields}, place)


async def create_one(
    made: Change, project_id: UUID, fields: Mapping[str, Any], place: Place | None = None, copied: UUID | None = None
) -> Held:
    """`create_task` within a change that is open already; `copied` is the task this one is a copy of."""
    lock = Lock.SHARED if fields.get("parent_id") is None else Lock.ALONE
    ground = await access_ground(made.session, made.scope, project_id, Permission.TASKS_CREATE, lock=lock)
    check_writable(ground.status)
    new = await _checked_new(made, ground, fields)
    above = {}
    if new.parent_id is not None:
        above = {new.parent_id: (await _parent(made, ground, new.parent_id)).depth}
    at = At(above, await rank_at(made, ground.id, place) if place else None)
    (row,) = await insert_many(made, ground, [new], at=at)
    held = Held(_written(made.scope, ground, new, row), ground)
    made.record(TaskCreated(**held.told(), name=new.name, copied_from=copied))
    await roll_up(made, new.parent_id)
    return held


async def update_task(
    session: AsyncSession,
    scope: Scope,
    *,
    task_id: UUID,
    changes: Mapping[str, Any],
    version: int | None = None,
    version_in_body: bool = False,
) -> Held:
    """Change some of the PLAIN fields; what keeps its value is no change. A stale version shows the current row."""
    async with change(session, scope) as made:
        return await update_one(made, task_id, changes, Seen.of(version, in_body=version_in_body))


async def update_one(
    made: Change, task_id: UUID, changes: Mapping[str, Any], seen: Seen | None = None, lock: Lock = Lock.SHARED
) -> Held:
    """`update_task` within a change that is open already."""
    lock = Lock.ALONE if "parent_id" in changes else lock
    held = await access_task(made.session, made.scope, task_id, Permission.TASKS_UPDATE, lock=lock)
    task = held.task
    check_writable(held.ground.status)
    await check_seen(made, task, seen)
    values = _checked(changes, task)
    if "progress" in values:
        await _check_own_progress(made, task)
        values["own_progress"] = values.pop("progress")
    before, after = diff(task, values)
    if not after:
        return held
    counted, old_parent = Counted.of(task), task.parent_id
    if "parent_id" in after:
        await move_under(made, held.ground, task, after["parent_id"])
    for name, value in after.items():
        setattr(task, name, value)
    if "own_progress" in after:
        await refresh(made, task)
    made.touch(task)
    made.tally.change(counted, Counted.of(task))
    happened = TaskUpdated(**held.told(), fields=sorted(after))
    made.record(happened, before=before, after=after)
    for parent in dict.fromkeys((old_parent, task.parent_id)):
        await roll_up(made, parent)
    return held


async def subtree(made: Change, task_id: UUID) -> list[tuple[UUID, int]]:
    """Return the ids of a task and of all below it, trashed ones too, each with its level; deepest first."""
    found = await made.session.execute(_SUBTREE, {"tenant": made.scope.tenant, "task": task_id})
    return [(row.id, row.level) for row in found]


def _written(scope: Scope, ground: Ground, new: NewTask, row: Mapping[str, Any]) -> Task:
    """Return the task as it stands in the database; it belongs to no session."""
    links = {"assignee_ids": list(new.assignees), "label_ids": list(new.labels)}
    made = {"created_by": scope.member, "updated_at": row["created_at"], "held_by_project": False, "version": 1}
    return Task(tenant_id=scope.tenant, project_id=ground.id, **{**row, **links, **made})


async def _checked_new(made: Change, ground: Ground, fields: Mapping[str, Any]) -> NewTask:
    check_known(fields, PLAIN | LINKS)
    if "name" not in fields:
        raise Invalid.field("name", N_("This must not be empty."), "required")
    people, labels = _each(fields, "assignees"), _each(fields, "labels")
    values = _checked({name: value for name, value in fields.items() if name in PLAIN}, None)
    check_most("assignees", people, MAX_ASSIGNEES)
    check_most("labels", labels, MAX_LABELS)
    if people:
        check_verb(made.scope, ground, Permission.TASKS_ASSIGN)
        await check_members(made.session, made.scope, people)
    await check_labels(made, labels)
    return NewTask(assignees=people, labels=labels, **values)


def _each(fields: Mapping[str, Any], name: str) -> list[UUID]:
    return list(dict.fromkeys(fields.get(name, ())))


def _checked(changes: Mapping[str, Any], task: Task | None) -> dict[str, Any]:
    check_known(changes, PLAIN)
    values = dict(changes)
    check_common(values)
    check_range(values, "estimate_min", 0, MAX_MINUTES)
    check_range(values, "spent_min", 0, MAX_MINUTES)
    check_range(values, "progress", 0, 100)
    check_dates(values, task, "start_on", "due_on")
    return values


async def _parent(made: Change, ground: Ground, parent_id: UUID) -> Task:
    """Return, locked, a live task of the same project."""
    query = select(Task).where(
        Task.tenant_id == made.scope.tenant,
        Task.project_id == ground.id,
        Task.id == parent_id,
        Task.deleted_at.is_(None),
    )
    parent = await made.session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if parent is None:
        raise NotFound.of("task", parent_id)
    return parent


async def move_under(made: Change, ground: Ground, task: Task, parent_id: UUID | None) -> None:
    """Check a new parent and bring the levels of everything below up to date; the project is held alone."""
    await made.session.flush()
    below = await subtree(made, task.id)
    depth = 0
    if parent_id is not None:
        if parent_id in {id_ for id_, _ in below}:
            raise Invalid.field("parent_id", N_("A task cannot be part of itself."), "cycle")
        depth = (await _parent(made, ground, parent_id)).depth + 1
    checked_depth(depth + max(level for _, level in below))
    for id_, level in below:
        place = update(Task).where(Task.tenant_id == made.scope.tenant, Task.id == id_)
        await made.session.execute(place.values(depth=depth + level))


async def _check_own_progress(made: Change, task: Task) -> None:
    if task.status == "done":
        raise Invalid.field("progress", N_("A task that is done is at 100."), "fixed")
    if await mean_of_children(made, task.id) is not None:
        raise Invalid.field("progress", N_("The progress of a task with sub-tasks follows from them."), "fixed")
