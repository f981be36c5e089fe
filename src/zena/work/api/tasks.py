"""Tasks: lists, one, making, changing, copying, trash."""

from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.pages import Page
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.kit.uow import Reader
from zena.kit.versions import wanted_version
from zena.work.actions.copies import duplicate_task
from zena.work.actions.place import Place
from zena.work.actions.tasks import create_task, update_task
from zena.work.actions.trash import purge_task, restore_task, trash_task
from zena.work.api.answers import (
    AllTasksOperation,
    AnyRequest,
    PageOperation,
    TaskListOperation,
    answers,
    json_answer,
    may_list,
    query_of,
    task_answer,
)
from zena.work.api.bodies import NewTask, NewTaskInProject, TaskChanges
from zena.work.queries.shapes import TaskDetail, TaskRow
from zena.work.queries.tasks import all_tasks, one_task, project_tasks, trashed_tasks
from zena.work.queries.wanted import wanted_page, wanted_tasks

TASK = "/api/v1/app/tasks/{task_id:uuid}"
OF_PROJECT = "/api/v1/app/projects/{project_id:uuid}/tasks"


@get(
    OF_PROJECT,
    opt=may_list(Permission.TASKS_VIEW, TaskListOperation),
    operation_class=TaskListOperation,
    responses=answers(Page[TaskRow]),
)
async def tasks_of_project(request: AnyRequest, reader: Reader, project_id: FromPath[UUID]) -> Response[bytes]:
    """The tasks of a project, in their order unless sorted otherwise."""
    asked = wanted_tasks(query_of(request))
    return json_answer(await project_tasks(reader.conn, reader.scope, state_of(request).cursors, project_id, asked))


@get(
    "/api/v1/app/tasks",
    opt=may_list(Permission.TASKS_VIEW, AllTasksOperation),
    operation_class=AllTasksOperation,
    responses=answers(Page[TaskRow]),
)
async def task_list(request: AnyRequest, reader: Reader) -> Response[bytes]:
    """The tasks of every project the caller may see, newest first unless sorted otherwise."""
    asked = wanted_tasks(query_of(request), extra=frozenset({"archived"}), default_sort="-created_at")
    return json_answer(await all_tasks(reader.conn, reader.scope, state_of(request).cursors, asked))


@post("/api/v1/app/tasks", opt=may(Permission.TASKS_CREATE), responses=answers(TaskDetail, 201))
async def new_task(session: AsyncSession, actor: Scope, data: NewTaskInProject) -> Response[bytes]:
    """Add a task to a project's backlog."""
    return await _create(session, actor, data.project_id, data)


@post(OF_PROJECT, opt=may(Permission.TASKS_CREATE), responses=answers(TaskDetail, 201))
async def new_task_in_project(
    session: AsyncSession, actor: Scope, project_id: FromPath[UUID], data: NewTask
) -> Response[bytes]:
    """Add a task to this project's backlog."""
    return await _create(session, actor, project_id, data)


@get(TASK, opt=may(Permission.TASKS_VIEW), responses=answers(TaskDetail))
async def show_task(reader: Reader, task_id: FromPath[UUID]) -> Response[bytes]:
    """One task."""
    return json_answer(*await one_task(reader.conn, reader.scope, task_id))


@patch(TASK, opt=may(Permission.TASKS_UPDATE), responses=answers(TaskDetail))
async def change_task(
    request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID], data: TaskChanges
) -> Response[bytes]:
    """Change some fields; If-Match carries the version they are based on."""
    await update_task(session, actor, task_id=task_id, changes=data.given(), version=wanted_version(request))
    return await task_answer(session, actor, task_id)


@post(f"{TASK}/duplicate", opt=may(Permission.TASKS_CREATE), responses=answers(TaskDetail, 201))
async def copy_task(session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[bytes]:
    """Copy a task, right behind itself, without sub-tasks and dependencies."""
    copy = await duplicate_task(session, actor, task_id=task_id)
    return await task_answer(session, actor, copy.task.id, status=201)


@get(
    "/api/v1/app/tasks/trash",
    opt=may_list(Permission.TASKS_DELETE, PageOperation),
    operation_class=PageOperation,
    responses=answers(Page[TaskDetail]),
)
async def task_trash(request: AnyRequest, reader: Reader) -> Response[bytes]:
    """The tasks in the trash, last thrown away first; sub-tasks that went with their task are not listed."""
    limit, cursor = wanted_page(query_of(request))
    return json_answer(await trashed_tasks(reader.conn, reader.scope, state_of(request).cursors, limit, cursor))


@post(f"{TASK}/trash", opt=may(Permission.TASKS_DELETE), status_code=200, responses=answers(TaskDetail))
async def trash(session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[bytes]:
    """Put a task and its sub-tasks into the trash."""
    await trash_task(session, actor, task_id=task_id)
    return await task_answer(session, actor, task_id)


@post(f"{TASK}/restore", opt=may(Permission.TASKS_DELETE), status_code=200, responses=answers(TaskDetail))
async def restore(session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[bytes]:
    """Bring a task back from the trash with the sub-tasks that went with it."""
    await restore_task(session, actor, task_id=task_id)
    return await task_answer(session, actor, task_id)


@delete(TASK, opt=may(Permission.TASKS_DELETE))
async def remove(session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> None:
    """Put a task and its sub-tasks into the trash, as POST .../trash does."""
    await trash_task(session, actor, task_id=task_id)


@post(f"{TASK}/purge", opt=may(Permission.TASKS_DELETE), status_code=204)
async def purge(session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> None:
    """Remove a task that is in the trash for good, with everything below it. Owners and admins only."""
    await purge_task(session, actor, task_id=task_id)


async def _create(session: AsyncSession, actor: Scope, project_id: UUID, data: NewTask) -> Response[bytes]:
    place = Place(data.after, data.before) if data.after or data.before else None
    fields = data.given("after", "before", "project_id")
    held = await create_task(session, actor, project_id=project_id, place=place, **fields)
    return await task_answer(session, actor, held.task.id, status=201)


ROUTES = [
    tasks_of_project,
    task_list,
    new_task,
    new_task_in_project,
    show_task,
    change_task,
    copy_task,
    task_trash,
    trash,
    restore,
    remove,
    purge,
]
