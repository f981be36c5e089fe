"""What belongs to a project: its status, its people, its way into the trash and back."""

from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.pages import Page
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.kit.uow import Reader
from zena.work.actions.lifecycle import set_project_status
from zena.work.actions.members import set_project_member
from zena.work.actions.projects import purge_project, restore_project, trash_project
from zena.work.api.answers import AnyRequest, PageOperation, answers, json_answer, may_list, project_answer, query_of
from zena.work.api.bodies import ProjectPart, ProjectStatusChange
from zena.work.queries.projects import project_members, trashed_projects
from zena.work.queries.shapes import ProjectDetail, ProjectMemberRow, ProjectRow
from zena.work.queries.wanted import wanted_page

PROJECT = "/api/v1/app/projects/{project_id:uuid}"


class ProjectPeople(msgspec.Struct, frozen=True):
    """Everybody in the project, managers first."""

    data: list[ProjectMemberRow]


@post(f"{PROJECT}/status", opt=may(Permission.PROJECTS_UPDATE), status_code=200, responses=answers(ProjectDetail))
async def change_status(
    session: AsyncSession, actor: Scope, project_id: FromPath[UUID], data: ProjectStatusChange
) -> Response[bytes]:
    """Move a project through its lifecycle; its tasks go along as the status demands."""
    await set_project_status(
        session, actor, project_id=project_id, status=data.status, cascade=data.cascade, version=data.version
    )
    return await project_answer(session, actor, project_id)


@get(f"{PROJECT}/members", opt=may(Permission.MEMBERS_VIEW), responses=answers(ProjectPeople))
async def members(reader: Reader, project_id: FromPath[UUID]) -> Response[bytes]:
    """Who takes part in a project."""
    return json_answer(await project_members(reader.conn, reader.scope, project_id))


@post(f"{PROJECT}/members", opt=may(Permission.PROJECTS_UPDATE), status_code=200, responses=answers(ProjectPeople))
async def put_member(
    session: AsyncSession, actor: Scope, project_id: FromPath[UUID], data: ProjectPart
) -> Response[bytes]:
    """Give a member of the firm a part in the project, or another part."""
    await set_project_member(session, actor, project_id=project_id, member_id=data.member_id, role=data.role)
    return json_answer(await project_members(await raw(session), actor, project_id))


@delete(f"{PROJECT}/members/{{member_id:uuid}}", opt=may(Permission.PROJECTS_UPDATE))
async def remove_member(
    session: AsyncSession, actor: Scope, project_id: FromPath[UUID], member_id: FromPath[UUID]
) -> None:
    """Take somebody's part in the project away. What they did stays theirs."""
    await set_project_member(session, actor, project_id=project_id, member_id=member_id, role=None)


@get(
    "/api/v1/app/projects/trash",
    opt=may_list(Permission.PROJECTS_DELETE, PageOperation),
    operation_class=PageOperation,
    responses=answers(Page[ProjectRow]),
)
async def project_trash(request: AnyRequest, reader: Reader) -> Response[bytes]:
    """The projects in the trash, last thrown away first."""
    limit, cursor = wanted_page(query_of(request))
    return json_answer(await trashed_projects(reader.conn, reader.scope, state_of(request).cursors, limit, cursor))


@post(f"{PROJECT}/trash", opt=may(Permission.PROJECTS_DELETE), status_code=200, responses=answers(ProjectDetail))
async def trash(session: AsyncSession, actor: Scope, project_id: FromPath[UUID]) -> Response[bytes]:
    """Put an empty project into the trash; 409 PROJECT_HAS_TASKS while it has any task, also a trashed one."""
    await trash_project(session, actor, project_id=project_id)
    return await project_answer(session, actor, project_id)


@post(f"{PROJECT}/restore", opt=may(Permission.PROJECTS_DELETE), status_code=200, responses=answers(ProjectDetail))
async def restore(session: AsyncSession, actor: Scope, project_id: FromPath[UUID]) -> Response[bytes]:
    """Bring a project back from the trash."""
    await restore_project(session, actor, project_id=project_id)
    return await project_answer(session, actor, project_id)


@delete(PROJECT, opt=may(Permission.PROJECTS_DELETE))
async def remove(session: AsyncSession, actor: Scope, project_id: FromPath[UUID]) -> None:
    """Put an empty project into the trash, as POST .../trash does."""
    await trash_project(session, actor, project_id=project_id)


@post(f"{PROJECT}/purge", opt=may(Permission.PROJECTS_DELETE), status_code=204)
async def purge(session: AsyncSession, actor: Scope, project_id: FromPath[UUID]) -> None:
    """Remove a project that is in the trash for good; its key becomes free. Owners and admins only."""
    await purge_project(session, actor, project_id=project_id)


ROUTES = [change_status, members, put_member, remove_member, project_trash, trash, restore, remove, purge]
