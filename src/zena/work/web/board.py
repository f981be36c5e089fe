"""One project: as a list and as a board. Both follow the project's channel."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import Raw, raw
from zena.kit.html import AnyRequest, page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.pages import Page
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.work.actions.tasks import create_task
from zena.work.queries.pages import choices, labels, lane_counts, people, project_by_key
from zena.work.queries.shapes import ProjectDetail, TaskRow
from zena.work.queries.tasks import project_tasks
from zena.work.queries.wanted import wanted_tasks
from zena.work.web import forms
from zena.work.web.words import (
    PRIORITY,
    PROJECT_STATUS,
    PROJECT_TONE,
    TASK_STATUS,
    comes_from,
)
from zena.work.workflow import NEEDS_REASON, WRITABLE

LIST, BOARD = "projects/list.html", "projects/board.html"
#: Filters a page takes from its address; anything else there is left alone.
FILTERS = ("status", "priority", "assignee", "label", "due", "q", "sort")
#: Cards of one lane before "show more".
LANE = 50


@get("/projects/{project_key:str}", opt=may(Permission.TASKS_VIEW))
async def as_list(
    request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]
) -> Response[str]:
    context = await _list(request, session, actor, project_key)
    return await page(request, session, LIST, **context)


@get("/projects/{project_key:str}/board", opt=may(Permission.TASKS_VIEW))
async def as_board(
    request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]
) -> Response[str]:
    context = await _board(request, session, actor, project_key)
    return await page(request, session, BOARD, **context)


@post("/projects/{project_key:str}/tasks", opt=may(Permission.TASKS_CREATE), status_code=303)
async def add_task(
    request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]
) -> Response[str]:
    form = await request.form()
    context = await _list(request, session, actor, project_key)
    project: ProjectDetail = context["project"]
    async with refusing(request, session, LIST, form, form="new-task", **context):
        task, _ = await create_task(
            session,
            actor,
            project_id=project.id,
            name=forms.words(form, "name"),
            priority=forms.words(form, "priority") or "normal",
            due_on=forms.day(form, "due_on"),
            assignees=forms.ids(form, "assignees"),
        )
    back = f"/projects/{project.key}/board" if forms.one(form, "back") == "board" else f"/projects/{project.key}"
    return see_other(request, back, toast=N_("%(key)s is made.", key=f"{project.key}-{task.number}"))


async def _list(request: AnyRequest, session: AsyncSession, actor: Scope, key: str) -> dict[str, Any]:
    conn = await raw(session)
    project = await project_by_key(conn, actor, key)
    given = _filters(request)
    cursor = request.query_params.get("cursor")
    params = [*given.items(), *([("cursor", cursor)] if cursor else [])]
    found = await _page(conn, actor, request, project, params)
    following = urlencode({**given, "cursor": found.page.next}) if found.page.next else None
    return await _common(conn, actor, project, given) | {
        "tasks": found.data,
        "next": f"/projects/{project.key}?{following}" if following else None,
    }


async def _board(request: AnyRequest, session: AsyncSession, actor: Scope, key: str) -> dict[str, Any]:
    conn = await raw(session)
    project = await project_by_key(conn, actor, key)
    given = _filters(request)
    given.pop("status", None)
    given.pop("sort", None)
    lanes = []
    for status in TASK_STATUS:
        params = [*given.items(), ("status", status), ("limit", str(LANE))]
        found = await _page(conn, actor, request, project, params)
        lanes.append((status, comes_from(status), status in NEEDS_REASON, found.data, found.page.next is not None))
    counts = await lane_counts(conn, actor, project.id) if project.tasks is not None and not given else {}
    return await _common(conn, actor, project, given) | {"lanes": lanes, "counts": counts}


async def _page(
    conn: Raw, actor: Scope, request: AnyRequest, project: ProjectDetail, params: list[tuple[str, str]]
) -> Page[TaskRow]:
    body = await project_tasks(conn, actor, state_of(request).cursors, project.id, wanted_tasks(params))
    return msgspec.json.decode(body, type=Page[TaskRow])


async def _common(conn: Raw, actor: Scope, project: ProjectDetail, given: dict[str, str]) -> dict[str, Any]:
    everybody = await people(conn, actor)
    return {
        "project": project,
        "people": everybody,
        "choices": choices(everybody),
        "labels": await labels(conn, actor),
        "words": {"status": TASK_STATUS, "project": PROJECT_STATUS, "priority": PRIORITY, "tone": PROJECT_TONE},
        "given": given,
        "query": f"?{urlencode(given)}" if given else "",
        "writes": writes_in(actor, project),
    }


def writes_in(actor: Scope, project: ProjectDetail) -> bool:
    """Tell whether to offer changes; the action decides in the end."""
    if project.status not in WRITABLE or not actor.may(Permission.TASKS_UPDATE) or project.my_role == "viewer":
        return False
    return actor.role != "member" or project.my_role is not None or project.owner_id == actor.member


def _filters(request: AnyRequest) -> dict[str, str]:
    return {name: request.query_params[name] for name in FILTERS if request.query_params.get(name)}


ROUTES = [as_list, as_board, add_task]
