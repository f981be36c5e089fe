"""What is mine to do, and what is in the trash: tasks over all projects."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.html import AnyRequest, page, see_other
from zena.kit.i18n import N_, Text
from zena.kit.pages import DEFAULT_LIMIT, Page
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.work.actions.projects import restore_project
from zena.work.queries.pages import Person, choices, labels, people
from zena.work.queries.projects import trashed_projects
from zena.work.queries.shapes import ProjectDetail, TaskDetail, TaskRow
from zena.work.queries.tasks import all_tasks, trashed_tasks
from zena.work.queries.wanted import wanted_tasks
from zena.work.web.words import PRIORITY, TASK_STATUS

#: Groups of the page: title, the filter behind it.
GROUPS = (
    (N_("Overdue"), (("due", "overdue"),)),
    (N_("Due soon"), (("due", "soon"),)),
    (N_("In progress"), (("status", "in_progress"),)),
    (N_("Next"), (("status", "backlog"),)),
    (N_("Blocked"), (("status", "blocked"),)),
)
SHOWN = 30
WHO = {"me": N_("Me"), "none": N_("Nobody")}


@get("/my-work", opt=may(Permission.TASKS_VIEW))
async def my_work(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    conn = await raw(session)
    cursors = state_of(request).cursors
    groups: list[tuple[Any, list[TaskRow]]] = []
    seen: set[Any] = set()
    for title, filters in GROUPS:
        params = [("assignee", "me"), ("limit", str(SHOWN)), ("sort", "due_on"), *filters]
        body = await all_tasks(conn, actor, cursors, wanted_tasks(params))
        found = [task for task in msgspec.json.decode(body, type=Page[TaskRow]).data if task.id not in seen]
        seen.update(task.id for task in found)
        groups.append((title, found))
    words = {"status": TASK_STATUS, "priority": PRIORITY}
    return await page(request, session, "tasks/mine.html", groups=groups, words=words, people=await people(conn, actor))


@get("/tasks", opt=may(Permission.TASKS_VIEW))
async def index(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    """Tasks of all projects, filtered by the address: where the figures of the dashboard lead."""
    conn = await raw(session)
    params = [(name, value) for name, value in request.query_params.multi_items() if value]
    wanted = wanted_tasks(params, default_sort="due_on")
    found = msgspec.json.decode(await all_tasks(conn, actor, state_of(request).cursors, wanted), type=Page[TaskRow])
    following = urlencode({**wanted.given, "sort": wanted.sort, "cursor": found.page.next}) if found.page.next else None
    everybody = await people(conn, actor)
    return await page(
        request,
        session,
        "tasks/index.html",
        tasks=found.data,
        next=f"/tasks?{following}" if following else None,
        filters=described(wanted.given, everybody),
        words={"status": TASK_STATUS, "priority": PRIORITY},
        people=everybody,
        choices=choices(everybody),
        labels=await labels(conn, actor),
    )


def described(given: dict[str, str], everybody: dict[UUID, Person]) -> list[Text]:
    """Say the filters in words."""
    said: list[Text] = []
    for name, value in given.items():
        if name == "status":
            said += [TASK_STATUS[status] for status in value.split(",") if status in TASK_STATUS]
        elif name == "priority":
            said += [PRIORITY[one] for one in value.split(",") if one in PRIORITY]
        elif name == "due":
            said.append({"overdue": N_("Overdue"), "soon": N_("Due soon"), "none": N_("No date")}[value])
        elif name == "closed":
            said.append(N_("Finished") if value == "true" else N_("Open"))
        elif name == "assignee":
            known = {str(person.id): person.name for person in everybody.values()}
            said.append(N_("%(name)s", name=known.get(value, value)) if value not in WHO else WHO[value])
    return said


@get("/trash", opt=may(Permission.TASKS_DELETE))
async def trash(
    request: AnyRequest, session: AsyncSession, actor: Scope, cursor: FromQuery[str | None] = None
) -> Response[str]:
    conn = await raw(session)
    cursors = state_of(request).cursors
    tasks = msgspec.json.decode(await trashed_tasks(conn, actor, cursors, DEFAULT_LIMIT, cursor), type=Page[TaskDetail])
    projects: list[ProjectDetail] = []
    if actor.may(Permission.PROJECTS_DELETE):
        body = await trashed_projects(conn, actor, cursors, DEFAULT_LIMIT, None)
        projects = [msgspec.convert(row, ProjectDetail, strict=False) for row in _rows(body)]
    return await page(
        request,
        session,
        "tasks/trash.html",
        tasks=tasks.data,
        next=f"/trash?cursor={tasks.page.next}" if tasks.page.next else None,
        projects=projects,
        people=await people(conn, actor),
    )


@post("/projects/{project_key:str}/restore", opt=may(Permission.PROJECTS_DELETE), status_code=303)
async def restore(
    request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]
) -> Response[str]:
    conn = await raw(session)
    found = await conn.fetchval(
        "SELECT id FROM project WHERE tenant_id = $1 AND key = $2", actor.tenant, project_key.upper()
    )
    project = await restore_project(session, actor, project_id=found or actor.tenant)
    return see_other(request, f"/projects/{project.key}", toast=N_("%(name)s is back.", name=project.name))


def _rows(body: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = msgspec.json.decode(body)["data"]
    return [{"description": "", "deleted_at": None} | row for row in rows]


ROUTES = [my_work, index, trash, restore]
