"""Projects: the list, one, making, changing, copying."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.pages import Page
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.kit.uow import Reader
from zena.kit.versions import wanted_version
from zena.work.actions.copies import duplicate_project
from zena.work.actions.keys import suggest_key
from zena.work.actions.projects import create_project, update_project
from zena.work.api.answers import (
    AnyRequest,
    ProjectListOperation,
    answers,
    json_answer,
    may_list,
    project_answer,
    query_of,
)
from zena.work.api.bodies import NewProject, ProjectChanges, ProjectCopy
from zena.work.queries.projects import list_projects, one_project, wanted_projects
from zena.work.queries.shapes import ProjectDetail, ProjectRow


class KeySuggestion(msgspec.Struct, frozen=True):
    """A key that is free now."""

    key: str


@get(
    "/api/v1/app/projects",
    opt=may_list(Permission.PROJECTS_VIEW, ProjectListOperation),
    operation_class=ProjectListOperation,
    responses=answers(Page[ProjectRow]),
)
async def project_list(request: AnyRequest, reader: Reader) -> Response[bytes]:
    """The projects the caller may see, in their order; archived ones only when the status filter names them."""
    asked = wanted_projects(query_of(request))
    return json_answer(await list_projects(reader.conn, reader.scope, state_of(request).cursors, asked))


@post("/api/v1/app/projects", opt=may(Permission.PROJECTS_CREATE), responses=answers(ProjectDetail, 201))
async def new_project(session: AsyncSession, actor: Scope, data: NewProject) -> Response[bytes]:
    """Start a project in planning. The caller becomes its owner unless another is named."""
    project = await create_project(session, actor, **data.given())
    return await project_answer(session, actor, project.id, status=201)


@get("/api/v1/app/projects/key", opt=may(Permission.PROJECTS_CREATE))
async def key_suggestion(
    session: AsyncSession, actor: Scope, name: Annotated[str, QueryParameter(min_length=1, max_length=255)]
) -> KeySuggestion:
    """A free key for a project of this name."""
    return KeySuggestion(await suggest_key(session, actor, name))


@get(
    "/api/v1/app/projects/{project_id:uuid}",
    opt=may(Permission.PROJECTS_VIEW),
    responses=answers(ProjectDetail),
)
async def show_project(reader: Reader, project_id: FromPath[UUID]) -> Response[bytes]:
    """One project."""
    return json_answer(*await one_project(reader.conn, reader.scope, project_id))


@patch(
    "/api/v1/app/projects/{project_id:uuid}",
    opt=may(Permission.PROJECTS_UPDATE),
    responses=answers(ProjectDetail),
)
async def change_project(
    request: AnyRequest, session: AsyncSession, actor: Scope, project_id: FromPath[UUID], data: ProjectChanges
) -> Response[bytes]:
    """Change some fields; If-Match carries the version they are based on."""
    version = wanted_version(request)
    await update_project(session, actor, project_id=project_id, changes=data.given(), version=version)
    return await project_answer(session, actor, project_id)


@post(
    "/api/v1/app/projects/{project_id:uuid}/duplicate",
    opt=may(Permission.PROJECTS_CREATE),
    responses=answers(ProjectDetail, 201),
)
async def copy_project(
    session: AsyncSession, actor: Scope, project_id: FromPath[UUID], data: ProjectCopy
) -> Response[bytes]:
    """Copy a project, with its tasks unless told not to; the copy is in planning and its tasks in the backlog."""
    copy = await duplicate_project(
        session, actor, project_id=project_id, name=data.name, key=data.key, tasks=data.tasks
    )
    return await project_answer(session, actor, copy.id, status=201)


ROUTES = [project_list, new_project, key_suggestion, show_project, change_project, copy_project]
