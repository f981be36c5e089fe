"""The trash of tasks: nothing is lost, an ordinary member of staff brings it back; purging is for owners and admins."""

from collections import defaultdict
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Forbidden
from zena.kit.scope import Scope
from zena.work.actions.move import check_seen
from zena.work.actions.tasks import subtree
from zena.work.change import Change, change
from zena.work.counters import Counted
from zena.work.events import TaskPurged, TaskRestored, TaskTrashed
from zena.work.fields import Seen, is_stale, stale
from zena.work.models import Task
from zena.work.policy import RULERS, Held, Lock, access_task, may_delete_task
from zena.work.progress import effective, mean_of, roll_up
from zena.work.workflow import ProjectStatus, TaskStatus, check_writable


async def trash_task(session: AsyncSession, scope: Scope, *, task_id: UUID) -> Held:
    """Put a task and its sub-tasks into the trash. Who may delete only what they made must have made all of them."""
    async with change(session, scope) as made:
        return await trash_one(made, task_id)


async def trash_one(made: Change, task_id: UUID, seen: Seen | None = None) -> Held:
    """`trash_task` within a change that is open already."""
    held = await access_task(made.session, made.scope, task_id, Permission.TASKS_DELETE, lock=Lock.ALONE)
    check_writable(held.ground.status)
    await check_seen(made, held.task, seen)
    gone = [task for task in await _tree(made, held.task) if task.deleted_at is None]
    if not all(may_delete_task(made.scope, held.ground, task) for task in gone):
        raise Forbidden(Permission.TASKS_DELETE)
    for task in gone:
        before = Counted.of(task)
        task.deleted_at, task.deleted_by, task.deleted_with = made.scope.at, made.scope.member, held.task.id
        made.touch(task)
        made.tally.change(before, Counted.of(task))
    made.record(TaskTrashed(**held.told(), name=held.task.name, count=len(gone)))
    await roll_up(made, held.task.parent_id)
    return held


async def restore_task(session: AsyncSession, scope: Scope, *, task_id: UUID) -> Held:
    """Bring a task back with the sub-tasks that went with it, to where it was; on top if its parent is gone."""
    async with change(session, scope) as made:
        return await restore_one(made, task_id)


async def restore_one(made: Change, task_id: UUID, seen: Seen | None = None) -> Held:
    """`restore_task` within a change that is open already."""
    held = await access_task(made.session, made.scope, task_id, Permission.TASKS_DELETE, lock=Lock.ALONE, trashed=True)
    task = held.task
    check_writable(held.ground.status)
    if seen is not None and is_stale(seen, task.version):
        raise stale(seen, task.version, {"id": task.id, "version": task.version})
    tree = await _tree(made, task)
    if not await _has_live_parent(made, task):
        lift, task.parent_id = task.depth, None
        for one in tree:  # those that stay in the trash as well
            one.depth -= lift
    back = [one for one in tree if one.deleted_with == task.deleted_with]
    _bring_back(made, held, tree, back)
    made.record(TaskRestored(**held.told(), name=task.name, count=len(back)))
    await roll_up(made, task.parent_id)
    return held


async def purge_task(session: AsyncSession, scope: Scope, *, task_id: UUID) -> None:
    """Remove a task that is in the trash for good, with everything below it."""
    async with change(session, scope) as made:
        held = await access_task(session, scope, task_id, Permission.TASKS_DELETE, lock=Lock.ALONE, trashed=True)
        if scope.role not in RULERS:
            raise Forbidden(Permission.TASKS_DELETE)
        tree = await _tree(made, held.task)
        for task in tree:
            made.tally.change(Counted.of(task), None)
        ids = [task.id for task in tree]
        await session.execute(delete(Task).where(Task.tenant_id == scope.tenant, Task.id.in_(ids)))
        made.record(TaskPurged(**held.told(), name=held.task.name, count=len(ids)))


def _bring_back(made: Change, held: Held, tree: list[Task], back: list[Task]) -> None:
    """Take tasks, deepest first, out of the trash; progress is computed from the tree at hand, not row by row."""
    before = [Counted.of(task) for task in back]
    for task in back:
        task.deleted_at = task.deleted_by = task.deleted_with = None
        if task.held_by_project and held.ground.status != ProjectStatus.ON_HOLD:
            # The hold ended while the task was in the trash: it goes on as its project does.
            task.status, task.block_reason, task.held_by_project = TaskStatus.IN_PROGRESS, None, False
        made.touch(task)
    below: dict[UUID | None, list[Task]] = defaultdict(list)
    for task in tree:
        below[task.parent_id].append(task)
    for task, counted in zip(back, before, strict=True):
        task.progress = effective(task.status, task.own_progress, mean_of(below[task.id]))
        made.tally.change(counted, Counted.of(task))


async def _tree(made: Change, task: Task) -> list[Task]:
    """Return a task and all below it, in the trash or not, locked, deepest first. Their project is held alone."""
    ids = [id_ for id_, _ in await subtree(made, task.id)]
    query = select(Task).where(Task.tenant_id == made.scope.tenant, Task.id.in_(ids)).with_for_update()
    found = {one.id: one for one in await made.session.scalars(query.execution_options(populate_existing=True))}
    return [found[id_] for id_ in ids]


async def _has_live_parent(made: Change, task: Task) -> bool:
    if task.parent_id is None:
        return False
    query = select(Task.id).where(
        Task.tenant_id == made.scope.tenant, Task.id == task.parent_id, Task.deleted_at.is_(None)
    )
    return await made.session.scalar(query) is not None
