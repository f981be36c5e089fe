"""What was said about a task and what happened to it: the last of it for a page, all of it in pages for the API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from zena.accounts.permissions import Permission
from zena.kit.db import Raw
from zena.kit.pages import Cursors, Key, Page, Value, after_sql, page_of
from zena.kit.scope import Scope
from zena.work.queries.bound import Bound
from zena.work.queries.sight import is_client

#: How many comments, and how many lines of activity, a page shows.
COMMENTS_SHOWN: Final = 100
ACTIVITY_SHOWN: Final = 50
_SAID: Final = "SELECT id, author_id, body, internal, pinned, created_at, edited_at, version FROM comment"
_OLDEST_FIRST: Final = (Key("created_at"), Key("id"))
_NEWEST_FIRST: Final = (Key("position", descending=True),)


class Said(msgspec.Struct, frozen=True):
    """A comment as it is shown."""

    id: UUID
    author_id: UUID | None
    body: str
    internal: bool
    pinned: bool
    created_at: datetime
    edited_at: datetime | None
    version: int


class Happened(msgspec.Struct, frozen=True):
    """One thing that happened, as recorded; `payload` depends on the type."""

    type: str
    actor: UUID | None
    payload: dict[str, Any]
    at: datetime


async def comments(conn: Raw, scope: Scope, task_id: UUID, limit: int = COMMENTS_SHOWN) -> list[Said]:
    """Return the last comments on a task that the actor has been shown: the pinned ones, then the oldest first."""
    bound = Bound([scope.tenant, task_id])
    # allow: sql-literal - a condition of our own; values are bound
    rows = await conn.fetch(
        f"{_SAID} WHERE {_talk(scope)} ORDER BY pinned DESC, created_at DESC, id DESC LIMIT {bound.mark(limit)}",
        *bound.values,
    )
    said = [Said(**row) for row in reversed(rows)]
    return sorted(said, key=lambda one: not one.pinned)


async def comment_page(
    conn: Raw, scope: Scope, cursors: Cursors, task_id: UUID, wanted: tuple[int, str | None]
) -> Page[Said]:
    """Return a page of the comments on a task that the actor has been shown, oldest first."""
    limit, cursor = wanted
    bound, listing = Bound([scope.tenant, task_id]), f"{scope.tenant}:comments:{task_id}"
    where = [_talk(scope), *_following(bound, _OLDEST_FIRST, cursors.open(listing, cursor) if cursor else None)]
    # allow: sql-literal - conditions of our own; values are bound
    rows = await conn.fetch(
        f"{_SAID} WHERE {' AND '.join(where)} ORDER BY created_at, id LIMIT {bound.mark(limit + 1)}", *bound.values
    )
    said = [Said(**row) for row in rows]
    return page_of(said, limit, lambda one: cursors.seal(listing, (one.created_at, one.id)))


async def activity(conn: Raw, scope: Scope, subject: UUID, limit: int = ACTIVITY_SHOWN) -> list[Happened]:
    """Return what happened last to an object the actor has been shown, newest first; talk has its own list."""
    return [_happened(row) for row in await _events(conn, scope, subject, limit)]


async def activity_page(
    conn: Raw, scope: Scope, cursors: Cursors, subject: UUID, wanted: tuple[int, str | None]
) -> Page[Happened]:
    """Return a page of what happened to an object the actor has been shown, newest first."""
    limit, cursor = wanted
    listing = f"{scope.tenant}:activity:{subject}"
    rows = await _events(conn, scope, subject, limit + 1, cursors.open(listing, cursor) if cursor else None)
    found = page_of(rows, limit, lambda row: cursors.seal(listing, (row["position"],)))
    return Page([_happened(row) for row in found.data], found.page)


async def _events(
    conn: Raw, scope: Scope, subject: UUID, limit: int, after: Sequence[Value] | None = None
) -> Sequence[Any]:
    hidden = [] if scope.may(Permission.COST_VIEW) else ["project.budget_changed"]
    bound = Bound([scope.tenant, subject, hidden, is_client(scope)])
    where = [
        "tenant_id = $1 AND subject_id = $2 AND subject_type <> 'comment' AND type <> ALL($3)",
        "NOT ($4 AND coalesce((payload->>'internal')::boolean, false))",
        *_following(bound, _NEWEST_FIRST, after),
    ]
    rows: Sequence[Any] = await conn.fetch(
        "SELECT position, type, actor, payload::text AS payload, at FROM event"  # noqa: S608 - values are bound
        f" WHERE {' AND '.join(where)} ORDER BY position DESC LIMIT {bound.mark(limit)}",
        *bound.values,
    )
    return rows


def _following(bound: Bound, keys: Sequence[Key], values: Sequence[Value] | None) -> list[str]:
    if values is None:
        return []
    condition, given = after_sql(keys, values, len(bound.values) + 1)
    bound.values += given
    return [condition]


def _talk(scope: Scope) -> str:
    inner = " AND NOT internal" if is_client(scope) else ""
    return f"tenant_id = $1 AND task_id = $2 AND deleted_at IS NULL{inner}"


def _happened(row: Any) -> Happened:
    return Happened(row["type"], row["actor"], msgspec.json.decode(row["payload"]), row["at"])
