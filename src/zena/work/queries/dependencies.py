"""What a task waits for, and what waits for it."""

from typing import Final
from uuid import UUID

from zena.kit.db import Raw
from zena.kit.scope import Scope
from zena.work.queries.bound import Bound
from zena.work.queries.shapes import DependencyRow
from zena.work.queries.sight import project_sight, task_sight

_COLUMNS: Final = """
SELECT d.id, n.direction, d.type, d.lag_min, t.id AS task_id, p.key || '-' || t.number AS key, t.name, t.status,
       t.project_id, t.start_on, t.due_on
  FROM (SELECT 'predecessor' AS direction, e.id, e.predecessor_id AS other FROM task_dependency e
         WHERE e.tenant_id = $1 AND e.successor_id = $2
        UNION ALL
        SELECT 'successor', e.id, e.successor_id FROM task_dependency e
         WHERE e.tenant_id = $1 AND e.predecessor_id = $2) n
  JOIN task_dependency d ON d.tenant_id = $1 AND d.id = n.id
  JOIN task t ON t.tenant_id = $1 AND t.id = n.other AND t.deleted_at IS NULL
  JOIN project p ON p.tenant_id = $1 AND p.id = t.project_id AND p.deleted_at IS NULL"""


async def dependencies_of(conn: Raw, scope: Scope, task_id: UUID) -> list[DependencyRow]:
    """Return the dependencies of a task the actor has been shown, predecessors first; unseen tasks are left out."""
    bound = Bound([scope.tenant, task_id])
    text = (
        f"{_COLUMNS} WHERE {task_sight(scope)} AND {project_sight(scope, bound)} ORDER BY n.direction, p.key, t.number"
    )
    # allow: sql-literal - conditions of our own; values are bound
    return [DependencyRow(**row) for row in await conn.fetch(text, *bound.values)]
