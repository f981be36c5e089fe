"""What pages read besides the API's own lists: things by their readable keys, names for ids, the talk about a task."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.scope import Scope
from zena.work.queries.projects import one_project
from zena.work.queries.shapes import LabelRow, ProjectDetail, TaskDetail
from zena.work.queries.tasks import one_task, task_by_key


class Person(msgspec.Struct, frozen=True):
    """A member as pages name them; `active` is false for somebody who has left."""

    id: UUID
    name: str
    role: str
    active: bool


async def project_by_key(conn: Raw, scope: Scope, key: str) -> ProjectDetail:
    """Return the project people call HBR; 404 unless the actor sees it."""
    found = await conn.fetchval("SELECT id FROM project WHERE tenant_id = $1 AND key = $2", scope.tenant, key.upper())
    if found is None:
        raise NotFound.of("project", key)
    return await project_with(conn, scope, found)


async def project_with(conn: Raw, scope: Scope, project_id: UUID) -> ProjectDetail:
    body, _ = await one_project(conn, scope, project_id)
    return msgspec.json.decode(body, type=ProjectDetail)


async def task_called(conn: Raw, scope: Scope, key: str) -> TaskDetail:
    """Return the task people call HBR-142; 404 unless the actor sees it."""
    body, _ = await task_by_key(conn, scope, key)
    return msgspec.json.decode(body, type=TaskDetail)


async def task_again(conn: Raw, scope: Scope, task_id: UUID) -> TaskDetail:
    body, _ = await one_task(conn, scope, task_id)
    return msgspec.json.decode(body, type=TaskDetail)


async def people(conn: Raw, scope: Scope) -> dict[UUID, Person]:
    """Return everybody of the firm by membership, also those who left: old tasks still name them."""
    rows = await conn.fetch(
        "SELECT m.id, u.name, m.role, m.ended_at IS NULL AS active FROM membership m"
        " JOIN user_account u ON u.id = m.user_id WHERE m.tenant_id = $1 ORDER BY u.sort_key, m.id",
        scope.tenant,
    )
    return {row["id"]: Person(row["id"], row["name"], row["role"], row["active"]) for row in rows}


def choices(everybody: Mapping[UUID, Person]) -> list[tuple[UUID, str]]:
    """Return who can be chosen in a form: those who are still there."""
    return [(person.id, person.name) for person in everybody.values() if person.active]


async def labels(conn: Raw, scope: Scope) -> dict[UUID, LabelRow]:
    rows = await conn.fetch(
        "SELECT id, name, hue, version FROM label WHERE tenant_id = $1 ORDER BY lower(name), id", scope.tenant
    )
    return {row["id"]: LabelRow(**row) for row in rows}


async def lane_counts(conn: Raw, scope: Scope, project_id: UUID) -> Mapping[str, int]:
    """Return how many live tasks stand in each status, from the counters."""
    row = await conn.fetchrow(
        "SELECT backlog, in_progress, blocked, done, canceled FROM project_stats"
        " WHERE tenant_id = $1 AND project_id = $2",
        scope.tenant,
        project_id,
    )
    return dict(row) if row else {}
