"""A project's settings: what it is, how it stands, who works in it, and its end."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.errors import Conflict, Invalid
from zena.kit.html import AnyRequest, page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.work.actions.lifecycle import set_project_status
from zena.work.actions.members import set_project_member
from zena.work.actions.projects import trash_project, update_project
from zena.work.queries.pages import choices, people, project_by_key
from zena.work.queries.projects import project_members
from zena.work.queries.shapes import ProjectMemberRow
from zena.work.web import forms
from zena.work.web.words import PART, PRIORITY, PROJECT_STATUS, PROJECT_TONE, RISK, project_steps

TEMPLATE = "projects/settings.html"


@get("/projects/{project_key:str}/settings", opt=may(Permission.MEMBERS_VIEW))
async def show(request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]) -> Response[str]:
    return await page(request, session, TEMPLATE, **await _context(session, actor, project_key))


@post("/projects/{project_key:str}/settings", opt=may(Permission.PROJECTS_UPDATE), status_code=303)
async def save(request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]) -> Response[str]:
    form = await request.form()
    context = await _context(session, actor, project_key)
    async with refusing(request, session, TEMPLATE, form, form="project", **context):
        changes: dict[str, Any] = {
            "name": forms.words(form, "name"),
            "description": forms.words(form, "description"),
            "priority": forms.words(form, "priority"),
            "risk_level": forms.words(form, "risk_level"),
            "start_on": forms.day(form, "start_on"),
            "end_on": forms.day(form, "end_on"),
            "owner_id": forms.an_id(form, "owner_id"),
        }
        if actor.may(Permission.COST_EDIT):
            changes["budget_planned"] = forms.whole(form, "budget_planned")
            changes["budget_actual"] = forms.whole(form, "budget_actual")
        seen = forms.version(form)
        await update_project(session, actor, project_id=context["project"].id, changes=changes, version=seen)
    return see_other(request, f"/projects/{project_key}/settings", toast=N_("Saved."))


@post("/projects/{project_key:str}/status", opt=may(Permission.PROJECTS_UPDATE), status_code=303)
async def status(request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]) -> Response[str]:
    form = await request.form()
    context = await _context(session, actor, project_key)
    catch = (Invalid, Conflict)
    async with refusing(request, session, TEMPLATE, form, form="status", catch=catch, **context):
        project = await set_project_status(
            session,
            actor,
            project_id=context["project"].id,
            status=forms.words(form, "status"),
            cascade=forms.one(form, "cascade"),
        )
    word = PROJECT_STATUS[project.status]
    return see_other(request, f"/projects/{project_key}", toast=N_("The project is now: %(status)s.", status=word))


@post("/projects/{project_key:str}/members", opt=may(Permission.PROJECTS_UPDATE), status_code=303)
async def members(
    request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]
) -> Response[str]:
    form = await request.form()
    context = await _context(session, actor, project_key)
    async with refusing(request, session, TEMPLATE, form, form="member", **context):
        who: UUID | None = forms.an_id(form, "member_id")
        if who is None:
            raise Invalid.field("member_id", N_("Choose from the list."), "required")
        role = forms.words(form, "role") or None
        await set_project_member(session, actor, project_id=context["project"].id, member_id=who, role=role)
    return see_other(request, f"/projects/{project_key}/settings", toast=N_("Saved."))


@post("/projects/{project_key:str}/trash", opt=may(Permission.PROJECTS_DELETE), status_code=303)
async def trash(request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]) -> Response[str]:
    context = await _context(session, actor, project_key)
    async with refusing(request, session, TEMPLATE, {}, form="trash", **context):
        await trash_project(session, actor, project_id=context["project"].id)
    return see_other(request, "/projects", toast=N_("%(name)s is in the trash.", name=context["project"].name))


async def _context(session: AsyncSession, actor: Scope, key: str) -> dict[str, Any]:
    conn = await raw(session)
    project = await project_by_key(conn, actor, key)
    found = msgspec.json.decode(await project_members(conn, actor, project.id))["data"]
    everybody = await people(conn, actor)
    return {
        "project": project,
        "choices": choices(everybody),
        "members": msgspec.convert(found, list[ProjectMemberRow], strict=False),
        "people": everybody,
        "steps": [(project.archived_from, PROJECT_STATUS[project.archived_from])]
        if project.archived_from
        else project_steps(project.status),
        "words": {"project": PROJECT_STATUS, "tone": PROJECT_TONE, "priority": PRIORITY, "risk": RISK, "part": PART},
    }


ROUTES = [show, save, status, members, trash]
