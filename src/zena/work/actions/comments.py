"""Talking about a task. Authors change and delete their own words; @mentions reach members of the firm."""

import re
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission, Role
from zena.kit.errors import Forbidden, NotFound
from zena.kit.events import record
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.kit.text import required_text
from zena.work.events import CommentCreated, CommentDeleted, CommentEdited
from zena.work.fields import check_version
from zena.work.models import Comment, Task
from zena.work.policy import Ground, access_task

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
    happened = CommentCreated(
        subject=task.id,
        project=project.id,
        key=f"{project.key}-{task.number}",
        comment=comment.id,
        internal=comment.internal or task.internal,
        mentions=await mentioned(session, scope, said),
    )
    record(session, scope, happened)
    await session.flush()
    return comment


async def edit_comment(
    session: AsyncSession,
    scope: Scope,
    *,
    comment_id: UUID,
    body: str,
    version: int | None = None,
    task_id: UUID | None = None,
) -> Comment:
    """Change one's own words, marked as edited. With `task_id` only a comment of that task is found."""
    comment, task, project = await access_comment(session, scope, comment_id, task_id)
    if comment.author_id != scope.member:
        raise Forbidden(Permission.COMMENTS_CREATE, "Only the author changes a comment.")
    check_version(comment, version)
    said = required_text(body, "body")
    if said == comment.body:
        return comment
    comment.body, comment.edited_at = said, scope.at
    comment.version += 1
    happened = CommentEdited(
        subject=task.id,
        project=project.id,
        key=f"{project.key}-{task.number}",
        comment=comment.id,
        internal=comment.internal or task.internal,
    )
    record(session, scope, happened)
    await session.flush()
    return comment


async def delete_comment(session: AsyncSession, scope: Scope, *, comment_id: UUID, task_id: UUID | None = None) -> None:
    """Take back one's own words; owner and admin also those of others."""
    comment, task, project = await access_comment(session, scope, comment_id, task_id)
    if comment.author_id != scope.member and scope.role not in {Role.OWNER, Role.ADMIN}:
        raise Forbidden(Permission.COMMENTS_CREATE, "Only the author deletes a comment.")
    comment.deleted_at = scope.at
    comment.version += 1
    happened = CommentDeleted(
        subject=task.id,
        project=project.id,
        key=f"{project.key}-{task.number}",
        comment=comment.id,
        internal=comment.internal or task.internal,
    )
    record(session, scope, happened)
    await session.flush()


async def access_comment(
    session: AsyncSession, scope: Scope, comment_id: UUID, task_id: UUID | None = None
) -> tuple[Comment, Task, Ground]:
    """Fetch a comment the actor may see, locked, with its task; internal ones do not exist for clients."""
    query = select(Comment).where(
        Comment.tenant_id == scope.tenant, Comment.id == comment_id, Comment.deleted_at.is_(None)
    )
    comment = await session.scalar(query.with_for_update())
    if comment is None or (comment.internal and scope.role == Role.CLIENT):
        raise NotFound.of("comment")
    if task_id is not None and comment.task_id != task_id:
        raise NotFound.of("comment")
    try:
        task, project = await access_task(session, scope, comment.task_id, Permission.COMMENTS_CREATE)
    except NotFound:
        raise NotFound.of("comment") from None
    return comment, task, project


async def mentioned(session: AsyncSession, scope: Scope, body: str) -> list[UUID]:
    """Return the memberships that a text names by address; addresses of strangers are words like others."""
    emails = [address.lower() for address in MENTION.findall(body)[:MAX_MENTIONS]]
    if not emails:
        return []
    return list(await session.scalars(_MEMBERS, {"tenant": scope.tenant, "emails": emails}))
