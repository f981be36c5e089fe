"""One task: beside the list as a panel, or as a page of its own."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import Raw, raw
from zena.kit.html import AnyRequest, fragment, is_htmx, page
from zena.kit.markdown import render_markdown
from zena.kit.scope import Scope
from zena.work.queries.dependencies import dependencies_of
from zena.work.queries.pages import labels, people, project_with, task_called
from zena.work.queries.relatives import parent_of, subtasks_of
from zena.work.queries.shapes import TaskDetail
from zena.work.queries.talk import activity, comments
from zena.work.web.board import writes_in
from zena.work.web.words import PRIORITY, TASK_STATUS, steps, told

PANEL, PAGE = "tasks/panel.html", "tasks/page.html"


@get("/tasks/{task_key:str}", opt=may(Permission.TASKS_VIEW))
async def show(request: AnyRequest, session: AsyncSession, actor: Scope, task_key: FromPath[str]) -> Response[str]:
    conn = await raw(session)
    context = await panel_context(conn, actor, await task_called(conn, actor, task_key))
    if is_htmx(request):
        return fragment(request, session, PANEL, **context)
    return await page(request, session, PAGE, **context)


async def panel_context(conn: Raw, actor: Scope, task: TaskDetail) -> dict[str, Any]:
    """Return what the panel shows, all of it read before anything is drawn."""
    everybody = await people(conn, actor)
    project = await project_with(conn, actor, task.project_id)
    said = await comments(conn, actor, task.id)
    happened = await activity(conn, actor, task.id)
    return {
        "task": task,
        "project": project,
        "people": everybody,
        "labels": await labels(conn, actor),
        "description": render_markdown(task.description),
        "comments": [(one, render_markdown(one.body)) for one in said],
        "activity": [(one, told(one, everybody)) for one in happened],
        "links": await dependencies_of(conn, actor, task.id),
        "parent": await parent_of(conn, actor, task.parent_id) if task.parent_id else None,
        "subtasks": await subtasks_of(conn, actor, task.id),
        "steps": steps(task.status),
        "words": {"status": TASK_STATUS, "priority": PRIORITY},
        "writes": writes_in(actor, project),
        "hours": hours,
    }


def hours(minutes: int | None) -> str:
    """Return minutes as hours for an input: 90 is "1.5"."""
    return f"{minutes / 60:g}" if minutes else ""


ROUTES = [show]
