"""Progress, in one place: 100 when done, else the mean of the sub-tasks, else the task's own value.

Sub-tasks that are canceled or in the trash do not count. A project's progress is sum(weight x progress) / sum(weight)
over its tasks that are not canceled; the sums stand in `project_stats`.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import func, select

from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.work.change import Change
from zena.work.counters import Counted
from zena.work.models import Task

#: How deep sub-tasks may nest: levels, the top one included.
MAX_DEPTH = 8


def project_percent(weight: int, weight_progress: int) -> float:
    """Return a project's progress, 0..100 with two decimals; 0 for one without tasks."""
    return round(weight_progress / weight, 2) if weight else 0.0


def checked_depth(depth: int) -> int:
    """Return a task's level, or refuse one that nobody could follow."""
    if depth >= MAX_DEPTH:
        message = N_("Sub-tasks nest at most %(most)s levels deep.", most=MAX_DEPTH)
        raise Invalid.field("parent_id", message, "too_deep")
    return depth


def effective(status: str, own: int, mean: int | None) -> int:
    """Return what counts as a task's progress; `mean` is that of its sub-tasks, None where it has none."""
    if status == "done":
        return 100
    return own if mean is None else mean


def round_half_up(total: int, count: int) -> int:
    """Return the mean of whole numbers as the database rounds it."""
    return (2 * total + count) // (2 * count)


def mean_of(children: Iterable[Task]) -> int | None:
    """Return what `mean_of_children` would for sub-tasks that are at hand, all of them."""
    counting = [child.progress for child in children if child.status != "canceled" and child.deleted_at is None]
    return round_half_up(sum(counting), len(counting)) if counting else None


async def refresh(made: Change, task: Task) -> None:
    """Bring a task's progress up to date. The caller counts the task and rolls up."""
    mean = await mean_of_children(made, task.id)
    task.progress = effective(task.status, task.own_progress, mean)


async def roll_up(made: Change, parent_id: UUID | None) -> None:
    """Bring the progress of a task's ancestors up to date after the task changed, and count them anew."""
    await made.session.flush()
    while parent_id is not None:
        # allow: session-get - an ancestor of a task that was fetched through access_task
        parent = await made.session.get_one(
            Task, (made.scope.tenant, parent_id), with_for_update=True, populate_existing=True
        )
        mean = await mean_of_children(made, parent.id)
        progress = effective(parent.status, parent.own_progress, mean)
        if progress == parent.progress:
            return
        before = Counted.of(parent)
        parent.progress = progress
        made.tally.change(before, Counted.of(parent))
        await made.session.flush()
        parent_id = parent.parent_id


async def mean_of_children(made: Change, task_id: UUID) -> int | None:
    query = select(func.round(func.avg(Task.progress))).where(
        Task.tenant_id == made.scope.tenant,
        Task.parent_id == task_id,
        Task.status != "canceled",
        Task.deleted_at.is_(None),
    )
    mean = await made.session.scalar(query)
    return None if mean is None else int(mean)
