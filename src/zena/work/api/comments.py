"""Comments and activity over the API."""

from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.pages import Page
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.kit.uow import Reader
from zena.kit.versions import etag, wanted_version
from zena.work.actions.comments import create_comment, delete_comment, edit_comment, pin_comment
from zena.work.api.answers import AnyRequest, PageOperation, may_list, query_of
from zena.work.models import Comment
from zena.work.queries.projects import check_project_seen
from zena.work.queries.talk import Happened, Said, activity_page, comment_page
from zena.work.queries.tasks import one_task
from zena.work.queries.wanted import wanted_page


class NewComment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`body` is Markdown; `internal` hides it from clients."""

    body: str
    internal: bool = False


class CommentText(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    body: str


class CommentPin(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    pinned: bool


@get(
    "/api/v1/app/tasks/{task_id:uuid}/comments",
    opt=may_list(Permission.TASKS_VIEW, PageOperation),
    operation_class=PageOperation,
)
async def list_comments(request: AnyRequest, reader: Reader, task_id: FromPath[UUID]) -> Page[Said]:
    """What was said about a task, oldest first."""
    wanted = wanted_page(query_of(request))
    await one_task(reader.conn, reader.scope, task_id)
    return await comment_page(reader.conn, reader.scope, state_of(request).cursors, task_id, wanted)


@post("/api/v1/app/tasks/{task_id:uuid}/comments", opt=may(Permission.COMMENTS_CREATE))
async def add_comment(session: AsyncSession, actor: Scope, task_id: FromPath[UUID], data: NewComment) -> Response[Said]:
    """Say something about a task."""
    comment = await create_comment(session, actor, task_id=task_id, body=data.body, internal=data.internal)
    return Response(_said(comment), status_code=201, headers=etag(comment.version))


@patch("/api/v1/app/comments/{comment_id:uuid}", opt=may(Permission.COMMENTS_CREATE))
async def change_comment(
    request: AnyRequest,
    session: AsyncSession,
    actor: Scope,
    comment_id: FromPath[UUID],
    data: CommentText,
) -> Response[Said]:
    """Change one's own words."""
    seen = wanted_version(request)
    comment = await edit_comment(session, actor, comment_id=comment_id, body=data.body, version=seen)
    return Response(_said(comment), headers=etag(comment.version))


@put("/api/v1/app/comments/{comment_id:uuid}/pin", opt=may(Permission.TASKS_UPDATE))
async def change_pin(
    session: AsyncSession, actor: Scope, comment_id: FromPath[UUID], data: CommentPin
) -> Response[Said]:
    """Keep a comment at the head of the talk, or let it go."""
    comment = await pin_comment(session, actor, comment_id=comment_id, pinned=data.pinned)
    return Response(_said(comment), headers=etag(comment.version))


@delete("/api/v1/app/comments/{comment_id:uuid}", opt=may(Permission.COMMENTS_CREATE))
async def remove_comment(session: AsyncSession, actor: Scope, comment_id: FromPath[UUID]) -> None:
    """Take one's own words back."""
    await delete_comment(session, actor, comment_id=comment_id)


@get(
    "/api/v1/app/tasks/{task_id:uuid}/activity",
    opt=may_list(Permission.TASKS_VIEW, PageOperation),
    operation_class=PageOperation,
)
async def task_activity(request: AnyRequest, reader: Reader, task_id: FromPath[UUID]) -> Page[Happened]:
    """What happened to a task, newest first; what was said has its own list."""
    wanted = wanted_page(query_of(request))
    await one_task(reader.conn, reader.scope, task_id)
    return await activity_page(reader.conn, reader.scope, state_of(request).cursors, task_id, wanted)


@get(
    "/api/v1/app/projects/{project_id:uuid}/activity",
    opt=may_list(Permission.PROJECTS_VIEW, PageOperation),
    operation_class=PageOperation,
)
async def project_activity(request: AnyRequest, reader: Reader, project_id: FromPath[UUID]) -> Page[Happened]:
    """What happened to a project itself, newest first; its tasks have their own."""
    wanted = wanted_page(query_of(request))
    await check_project_seen(reader.conn, reader.scope, project_id)
    return await activity_page(reader.conn, reader.scope, state_of(request).cursors, project_id, wanted)


def _said(comment: Comment) -> Said:
    return Said(
        comment.id,
        comment.author_id,
        comment.body,
        comment.internal,
        comment.pinned,
        comment.created_at,
        comment.edited_at,
        comment.version,
    )


ROUTES = [list_comments, add_comment, change_comment, change_pin, remove_comment, task_activity, project_activity]
