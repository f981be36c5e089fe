"""The floor's selects: what the application reads, by its shortest way.

The database writes the JSON, as it does there. Rows turned into objects and encoded in Python take longer, so that
would be an easier floor.
"""

from zena.work.queries.shapes import project_json, project_sums, task_json

LIST = f"""
SELECT {task_json()}
  FROM task t CROSS JOIN (SELECT k.key FROM project k WHERE k.tenant_id = $1 AND k.id = $2) p
 WHERE t.tenant_id = $1 AND t.project_id = $2 AND t.deleted_at IS NULL
 ORDER BY t.rank, t.id LIMIT 51"""  # noqa: S608 - constants
ONE = f"""
SELECT {task_json(whole=True)}
  FROM task t JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id
 WHERE t.tenant_id = $1 AND t.id = $2 AND t.deleted_at IS NULL"""  # noqa: S608 - constants
PROJECTS = f"""
SELECT {project_json("true", "true")}
  FROM project p {project_sums("$1", "NULL::uuid", "$2")}
 WHERE p.tenant_id = $1 AND p.deleted_at IS NULL AND p.status <> 'archived'
 ORDER BY p.position, p.id LIMIT 51"""  # noqa: S608 - constants
