"""Comments and activity over the API."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.scope import Scope
from zena.kit.uow import Reader
from zena.kit.versions import etag, wanted_version
from zena.work.actions.comments import create_comment, delete_comment, edit_comment
from zena.work.models import Comment
from zena.work.queries.pages import Said, activity, comments
from zena.work.queries.projects import check_project_seen
from zena.work.queries.tasks import one_task


class NewComment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`body` is Markdown; `internal` hides it from clients."""

    body: str
    internal: bool = False


class CommentText(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    body: str


class Comments(msgspec.Struct, frozen=True):
    """The last 100 comments, oldest first."""

    data: list[Said]


class ActivityRow(msgspec.Struct, frozen=True):
    """One thing that happened, as recorded; `payload` depends on the type."""

    type: str
    actor: UUID | None
    payload: dict[str, Any]
    at: datetime


class ActivityList(msgspec.Struct, frozen=True):
    """The last 50, newest first."""

    data: list[ActivityRow]


@get("/api/v1/app/tasks/{task_id:uuid}/comments", opt=may(Permission.TASKS_VIEW))
async def list_comments(reader: Reader, task_id: FromPath[UUID]) -> Comments:
    """What was said about a task."""
    await one_task(reader.conn, reader.scope, task_id)
    return Comments(await comments(reader.conn, reader.scope, task_id))


@post("/api/v1/app/tasks/{task_id:uuid}/comments", opt=may(Permission.COMMENTS_CREATE))
async def add_comment(session: AsyncSession, actor: Scope, task_id: FromPath[UUID], data: NewComment) -> Response[Said]:
    """Say something about a task."""
    comment = await create_comment(session, actor, task_id=task_id, body=data.body, internal=data.internal)
    return Response(_said(comment), status_code=201, headers=etag(comment.version))


@patch("/api/v1/app/comments/{comment_id:uuid}", opt=may(Permission.COMMENTS_CREATE))
async def change_comment(
    request: Request[Any, Any, Any],
    session: AsyncSession,
    actor: Scope,
    comment_id: FromPath[UUID],
    data: CommentText,
) -> Response[Said]:
    """Change one's own words."""
    seen = wanted_version(request)
    comment = await edit_comment(session, actor, comment_id=comment_id, body=data.body, version=seen)
    return Response(_said(comment), headers=etag(comment.version))


@delete("/api/v1/app/comments/{comment_id:uuid}", opt=may(Permission.COMMENTS_CREATE))
async def remove_comment(session: AsyncSession, actor: Scope, comment_id: FromPath[UUID]) -> None:
    """Take one's own words back."""
    await delete_comment(session, actor, comment_id=comment_id)


@get("/api/v1/app/tasks/{task_id:uuid}/activity", opt=may(Permission.TASKS_VIEW))
async def task_activity(session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> ActivityList:
    """What happened to a task."""
    conn = await raw(session)
    await one_task(conn, actor, task_id)
    return ActivityList([ActivityRow(h.type, h.actor, h.payload, h.at) for h in await activity(conn, actor, task_id)])


@get("/api/v1/app/projects/{project_id:uuid}/activity", opt=may(Permission.PROJECTS_VIEW))
async def project_activity(session: AsyncSession, actor: Scope, project_id: FromPath[UUID]) -> ActivityList:
    """What happened to a project itself; its tasks have their own."""
    conn = await raw(session)
    await check_project_seen(conn, actor, project_id)
    found = await activity(conn, actor, project_id)
    return ActivityList([ActivityRow(h.type, h.actor, h.payload, h.at) for h in found])


def _said(comment: Comment) -> Said:
    return Said(
        comment.id,
        comment.author_id,
        comment.body,
        comment.internal,
        comment.created_at,
        comment.edited_at,
        comment.version,
    )


ROUTES = [list_comments, add_comment, change_comment, remove_comment, task_activity, project_activity]
