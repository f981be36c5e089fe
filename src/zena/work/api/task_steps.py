"""What is done to a task besides editing it: moving, ordering, assigning, labelling."""

from collections.abc import Sequence
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.work.actions.move import move_task
from zena.work.actions.people import Picked, assign_task, label_task
from zena.work.actions.place import Place
from zena.work.api.answers import MovedTask, answers, moved_answer, task_answer
from zena.work.api.bodies import TaskLabels, TaskMove, TaskPeople, TaskRank
from zena.work.queries.shapes import TaskDetail

TASK = "/api/v1/app/tasks/{task_id:uuid}"


@post(f"{TASK}/move", opt=may(Permission.TASKS_UPDATE), status_code=200, responses=answers(MovedTask))
async def move(session: AsyncSession, actor: Scope, task_id: FromPath[UUID], data: TaskMove) -> Response[bytes]:
    """Take a task to another status, to another place in the order, or both."""
    moved = await move_task(
        session,
        actor,
        task_id=task_id,
        to=data.status,
        place=Place(data.after, data.before) if data.after or data.before else None,
        reason=data.reason,
        version=data.version,
        version_in_body=True,
    )
    return await moved_answer(session, actor, task_id, moved.warnings)


@post(f"{TASK}/rank", opt=may(Permission.TASKS_UPDATE), status_code=200, responses=answers(TaskDetail))
async def rank(session: AsyncSession, actor: Scope, task_id: FromPath[UUID], data: TaskRank) -> Response[bytes]:
    """Give a task another place in its project's order; the status stays."""
    place = Place(data.after, data.before)
    await move_task(session, actor, task_id=task_id, place=place, version=data.version, version_in_body=True)
    return await task_answer(session, actor, task_id)


@post(f"{TASK}/assign", opt=may(Permission.TASKS_ASSIGN), status_code=200, responses=answers(TaskDetail))
async def assign(session: AsyncSession, actor: Scope, task_id: FromPath[UUID], data: TaskPeople) -> Response[bytes]:
    """Say who does a task."""
    people = picked("assignees", data.assignees, data.add, data.remove)
    await assign_task(session, actor, task_id=task_id, assignees=people, version=data.version, version_in_body=True)
    return await task_answer(session, actor, task_id)


@post(f"{TASK}/labels", opt=may(Permission.TASKS_UPDATE), status_code=200, responses=answers(TaskDetail))
async def label(session: AsyncSession, actor: Scope, task_id: FromPath[UUID], data: TaskLabels) -> Response[bytes]:
    """Say which labels a task carries."""
    labels = picked("labels", data.labels, data.add, data.remove)
    await label_task(session, actor, task_id=task_id, labels=labels, version=data.version, version_in_body=True)
    return await task_answer(session, actor, task_id)


def picked(field: str, whole: Sequence[UUID] | None, add: Sequence[UUID], remove: Sequence[UUID]) -> Picked:
    """Return the wish; refused when it is neither the whole list nor a change of it, or both (B12)."""
    if (whole is None) == (not add and not remove):
        raise Invalid.field(field, N_("Send the whole list, or what to add and remove."), "required")
    return Picked(whole, add, remove)


ROUTES = [move, rank, assign, label]
