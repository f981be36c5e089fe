"""The task above another, and those below it."""

from datetime import date
from typing import Final
from uuid import UUID

import msgspec

from zena.kit.db import Raw
from zena.kit.scope import Scope
from zena.work.queries.sight import task_sight

_COLUMNS: Final = """
SELECT t.id, p.key || '-' || t.number AS key, t.name, t.status, t.progress, t.assignee_ids, t.due_on
  FROM task t JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id
 WHERE t.tenant_id = $1 AND t.deleted_at IS NULL"""
#: Sub-tasks that a panel shows; the list of the project has them all.
MOST: Final = 200


class Relative(msgspec.Struct, frozen=True):
    """A task as its parent or its sub-task names it."""

    id: UUID
    key: str
    name: str
    status: str
    progress: int
    assignee_ids: list[UUID]
    due_on: date | None


async def parent_of(conn: Raw, scope: Scope, parent_id: UUID | None) -> Relative | None:
    """Return the parent of a task the actor has been shown; None where there is none, or none they may see."""
    text = f"{_COLUMNS} AND t.id = $2 AND {task_sight(scope)}"
    # allow: sql-literal - a condition of our own; values are bound
    found = await conn.fetchrow(text, scope.tenant, parent_id)
    return Relative(**found) if found else None


async def subtasks_of(conn: Raw, scope: Scope, task_id: UUID) -> list[Relative]:
    """Return the sub-tasks of a task the actor has been shown, in their order."""
    text = f"{_COLUMNS} AND t.parent_id = $2 AND {task_sight(scope)} ORDER BY t.rank, t.id LIMIT {MOST}"
    # allow: sql-literal - a condition of our own; values are bound
    return [Relative(**row) for row in await conn.fetch(text, scope.tenant, task_id)]
