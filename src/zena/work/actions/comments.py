"""Talking about a task. Authors change and delete their own words; @mentions reach members of the firm.

In an archived project the talk has ended: it is read, and nothing else.
"""

import re
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission, Role
from zena.kit.errors import Forbidden, NotFound
from zena.kit.events import record
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.kit.text import required_text
from zena.work.events import CommentCreated, CommentDeleted, CommentEdited, CommentPinned
from zena.work.fields import check_version
from zena.work.models import Comment, Task
from zena.work.policy import Ground, access_task, check_verb
from zena.work.workflow import ProjectStatus, restricted

#: @an.nguyen@example.com: the address is what a writer knows for sure.
MENTION = re.compile(r"(?<![\w@])@([^\s@,;]+@[^\s@,;]+\.[a-zA-Z]{2,})")
MAX_MENTIONS = 50

_MEMBERS = text(
    "SELECT m.id FROM membership m JOIN user_account u ON u.id = m.user_id"
    " WHERE m.tenant_id = :tenant AND m.ended_at IS NULL AND u.email = ANY (:emails) ORDER BY m.id"
)


async def create_comment(
    session: AsyncSession, scope: Scope, *, task_id: UUID, body: str, internal: bool = False
) -> Comment:
    """Say something about a task; `internal` keeps it from clients, whose own words are never internal."""
    task, project = await access_task(session, scope, task_id, Permission.COMMENTS_CREATE)
    _check_open(project)
    said = required_text(body, "body")
    comment = Comment(
        tenant_id=scope.tenant,
        id=new_id(),
        task_id=task.id,
        author_id=scope.member,
        body=said,
        internal=internal and scope.role != Role.CLIENT,
        pinned=False,
        created_at=scope.at,
        version=1,
    )
    session.add(comment)
    mentions = await mentioned(session, scope, said)
    record(session, scope, CommentCreated(**_told(comment, task, project), mentions=mentions))
    await session.flush()
    return comment


async def edit_comment(
    session: AsyncSession,
    scope: Scope,
    *,
    comment_id: UUID,
    body: str,
    task_id: UUID | None = None,
    version: int | None = None,
) -> Comment:
    """Change one's own words; the page says that they were edited."""
    comment, task, project = await access_comment(session, scope, comment_id, task_id)
    if comment.author_id != scope.member:
        raise Forbidden(Permission.COMMENTS_CREATE, "Only the author changes a comment.")
    check_version(comment, version)
    said = required_text(body, "body")
    if said == comment.body:
        return comment
    comment.body, comment.edited_at = said, scope.at
    comment.version += 1
    record(session, scope, CommentEdited(**_told(comment, task, project)))
    await session.flush()
    return comment


async def pin_comment(
    session: AsyncSession,
    scope: Scope,
    *,
    comment_id: UUID,
    pinned: bool,
    task_id: UUID | None = None,
) -> Comment:
    """Keep a comment at the head of the talk, or let it go back to its place; for those who may change the task."""
    comment, task, project = await access_comment(session, scope, comment_id, task_id)
    check_verb(scope, project, Permission.TASKS_UPDATE)
    if comment.pinned == pinned:
        return comment
    comment.pinned = pinned
    comment.version += 1
    record(session, scope, CommentPinned(**_told(comment, task, project), pinned=pinned))
    await session.flush()
    return comment


async def delete_comment(session: AsyncSession, scope: Scope, *, comment_id: UUID, task_id: UUID | None = None) -> None:
    """Take back one's own words; owner and admin also those of others."""
    comment, task, project = await access_comment(session, scope, comment_id, task_id)
    if comment.author_id != scope.member and scope.role not in {Role.OWNER, Role.ADMIN}:
        raise Forbidden(Permission.COMMENTS_CREATE, "Only the author deletes a comment.")
    comment.deleted_at, comment.deleted_by, comment.pinned = scope.at, scope.member, False
    comment.version += 1
    record(session, scope, CommentDeleted(**_told(comment, task, project)))
    await session.flush()


async def access_comment(
    session: AsyncSession, scope: Scope, comment_id: UUID, task_id: UUID | None = None
) -> tuple[Comment, Task, Ground]:
    """Fetch a comment the actor may see and change, locked, with its task; found under that task only, where given.

    Internal ones do not exist for clients.
    """
    query = select(Comment).where(
        Comment.tenant_id == scope.tenant, Comment.id == comment_id, Comment.deleted_at.is_(None)
    )
    comment = await session.scalar(query.with_for_update())
    if comment is None or task_id not in {None, comment.task_id} or (comment.internal and scope.role == Role.CLIENT):
        raise NotFound.of("comment", comment_id)
    try:
        task, project = await access_task(session, scope, comment.task_id, Permission.COMMENTS_CREATE)
    except NotFound:
        raise NotFound.of("comment") from None
    _check_open(project)
    return comment, task, project


async def mentioned(session: AsyncSession, scope: Scope, body: str) -> list[UUID]:
    """Return the memberships that a text names by address; addresses of strangers are words like others."""
    emails = [address.lower() for address in MENTION.findall(body)[:MAX_MENTIONS]]
    if not emails:
        return []
    return list(await session.scalars(_MEMBERS, {"tenant": scope.tenant, "emails": emails}))


def _check_open(project: Ground) -> None:
    if project.status == ProjectStatus.ARCHIVED:
        raise restricted(project.status)


def _told(comment: Comment, task: Task, project: Ground) -> dict[str, Any]:
    """Return what every event of a comment carries."""
    return {
        "subject": task.id,
        "project": project.id,
        "key": f"{project.key}-{task.number}",
        "internal": comment.internal or task.internal,
        "comment": comment.id,
    }
