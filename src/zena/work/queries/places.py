"""Where a task, project or comment lies, in whichever firm: for operators who ask why somebody does not see it.

Read as zena_ops, past every fence; ids and states only, nothing of what people wrote.
"""

import itertools
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.scope import Scope
from zena.work.queries.projects import one_project
from zena.work.queries.tasks import one_task

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)
_TASK_KEY: Final = re.compile(r"([A-Z][A-Z0-9]{1,9})-([0-9]{1,15})", re.IGNORECASE)
_PROJECT_KEY: Final = re.compile(r"[A-Z][A-Z0-9]{1,9}", re.IGNORECASE)

_PROJECT: Final = """
SELECT 'project' AS kind, p.tenant_id AS tenant, f.slug, p.id, p.id AS project, p.key, p.deleted_at,
       p.deleted_at AS project_deleted_at, p.status AS project_status, false AS internal
  FROM project p JOIN tenant f ON f.id = p.tenant_id WHERE {} ORDER BY f.slug"""
_TASK: Final = """
SELECT 'task' AS kind, t.tenant_id AS tenant, f.slug, t.id, p.id AS project, p.key || '-' || t.number AS key,
       t.deleted_at, p.deleted_at AS project_deleted_at, p.status AS project_status, t.internal
  FROM task t JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id JOIN tenant f ON f.id = t.tenant_id
 WHERE {} ORDER BY f.slug"""
_COMMENT: Final = """
SELECT 'comment' AS kind, c.tenant_id AS tenant, f.slug, t.id, p.id AS project, p.key || '-' || t.number AS key,
       coalesce(c.deleted_at, t.deleted_at) AS deleted_at, p.deleted_at AS project_deleted_at,
       p.status AS project_status, t.internal OR c.internal AS internal
  FROM comment c JOIN task t ON t.tenant_id = c.tenant_id AND t.id = c.task_id
  JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id JOIN tenant f ON f.id = t.tenant_id
 WHERE c.id = $1 ORDER BY f.slug"""
_BY_ID: Final = (_TASK.format("t.id = $1"), _PROJECT.format("p.id = $1"), _COMMENT)
_BY_TASK_KEY: Final = _TASK.format("p.key = $1 AND t.number = $2")
_BY_PROJECT_KEY: Final = _PROJECT.format("p.key = $1")
_IN_PROJECT: Final = (
    "SELECT EXISTS (SELECT FROM project_member WHERE tenant_id = $1 AND project_id = $2 AND member_id = $3)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """One row, where it lies and what can hide it. Of a comment `id` and `key` are its task's.

    `internal` things are not for clients.
    """

    kind: str
    tenant: UUID
    slug: str
    id: UUID
    project: UUID
    key: str
    deleted_at: datetime | None
    project_deleted_at: datetime | None
    project_status: str
    internal: bool


async def places(conn: Raw, resource: str) -> list[Place] | None:
    """Return where a thing lies: HBR-12, HBR, an id, or an address that holds one of them.

    Keys can be there once in each firm. None for a text that names nothing of this kind.
    """
    found = _named(resource)
    if found is None:
        return None
    statements, values = found
    for statement in statements:
        rows = await conn.fetch(statement, *values)
        if rows:
            return [Place(**row) for row in rows]
    return []


async def is_in_project(conn: Raw, place: Place, member: UUID) -> bool:
    return bool(await conn.fetchval(_IN_PROJECT, place.tenant, place.project, member))


async def is_seen(conn: Raw, scope: Scope, place: Place) -> bool:
    """Tell whether the actor's own way of reading finds it, in the trash or not; `conn` is bound to the firm."""
    read = one_project if place.kind == "project" else one_task
    try:
        await read(conn, scope, place.id, trashed=True)
    except NotFound:
        return False
    return True


def _named(resource: str) -> tuple[tuple[str, ...], list[Any]] | None:
    """Return the statements that may find what a text names, and their values."""
    parts = [unquote(part) for part in urlsplit(resource).path.split("/") if part]
    for part in reversed(parts):
        if _UUID.fullmatch(part):
            return _BY_ID, [UUID(part)]
        if key := _TASK_KEY.fullmatch(part):
            return (_BY_TASK_KEY,), [key[1].upper(), int(key[2])]
    after = [part for before, part in itertools.pairwise(parts) if before == "projects"]
    alone = after or (parts if len(parts) == 1 and "/" not in resource else [])
    if alone and _PROJECT_KEY.fullmatch(alone[-1]):
        return (_BY_PROJECT_KEY,), [alone[-1].upper()]
    return None
