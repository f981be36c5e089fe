"""The list of projects, and starting one."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.html import AnyRequest, page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.pages import Page
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.work.actions.projects import create_project
from zena.work.queries.pages import people
from zena.work.queries.projects import WantedProjects, list_projects
from zena.work.queries.shapes import ProjectRow
from zena.work.web import forms
from zena.work.web.words import PRIORITY, PROJECT_STATUS, PROJECT_TONE

TEMPLATE = "projects/index.html"


@get("/projects", opt=may(Permission.PROJECTS_VIEW))
async def index(
    request: AnyRequest,
    session: AsyncSession,
    actor: Scope,
    status: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Response[str]:
    return await page(request, session, TEMPLATE, **await _context(request, session, actor, status, cursor))


@get("/projects/new", opt=may(Permission.PROJECTS_CREATE))
async def new(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    """The list with the form open, for links from elsewhere."""
    context = await _context(request, session, actor, None, None)
    return await page(request, session, TEMPLATE, **context | {"open_form": True})


@post("/projects", opt=may(Permission.PROJECTS_CREATE), status_code=303)
async def create(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    form = await request.form()
    context = await _context(request, session, actor, None, None)
    async with refusing(request, session, TEMPLATE, form, form="new-project", **context):
        project = await create_project(
            session,
            actor,
            name=forms.words(form, "name"),
            key=forms.words(form, "key").strip() or None,
            description=forms.words(form, "description"),
            start_on=forms.day(form, "start_on"),
            end_on=forms.day(form, "end_on"),
        )
    return see_other(request, f"/projects/{project.key}", toast=N_("Project %(name)s is made.", name=project.name))


async def _context(
    request: AnyRequest, session: AsyncSession, actor: Scope, status: str | None, cursor: str | None
) -> dict[str, Any]:
    conn = await raw(session)
    shown = [status] if status in PROJECT_STATUS else None
    wanted = WantedProjects(status=shown, cursor=cursor)
    found = msgspec.json.decode(
        await list_projects(conn, actor, state_of(request).cursors, wanted), type=Page[ProjectRow]
    )
    return {
        "projects": found.data,
        "next": _next(found.page.next, status),
        "people": await people(conn, actor),
        "statuses": PROJECT_STATUS,
        "tones": PROJECT_TONE,
        "priorities": PRIORITY,
        "chosen": status if shown else None,
        "open_form": False,
    }


def _next(cursor: str | None, status: str | None) -> str | None:
    if cursor is None:
        return None
    return f"/projects?cursor={cursor}" + (f"&status={status}" if status else "")


ROUTES = [index, new, create]
