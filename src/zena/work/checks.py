"""Invariants of work, each as SQL that returns the rows that break it: none, or something is wrong.

Every statement takes the tenant as $1 and runs inside that tenant. Integrity reports what they return and, for the
counters, repairs it with `RECOUNT`.
"""

from typing import Final

from zena.kit.checks import Check, Repair, StoredFiles

_OPEN: Final = "t.status IN ('backlog', 'in_progress', 'blocked')"


_STATS: Final = f"""
SELECT p.id AS project_id,
       count(*) FILTER (WHERE l AND t.status = 'backlog') AS backlog,
       count(*) FILTER (WHERE l AND t.status = 'in_progress') AS in_progress,
       count(*) FILTER (WHERE l AND t.status = 'blocked') AS blocked,
       count(*) FILTER (WHERE l AND t.status = 'done') AS done,
       count(*) FILTER (WHERE l AND t.status = 'canceled') AS canceled,
       count(*) FILTER (WHERE t.deleted_at IS NOT NULL) AS trashed,
       count(*) FILTER (WHERE l AND t.priority = 'low') AS all_low,
       count(*) FILTER (WHERE l AND t.priority = 'normal') AS all_normal,
       count(*) FILTER (WHERE l AND t.priority = 'high') AS all_high,
       count(*) FILTER (WHERE l AND t.priority = 'urgent') AS all_urgent,
       count(*) FILTER (WHERE l AND o AND t.priority = 'low') AS open_low,
       count(*) FILTER (WHERE l AND o AND t.priority = 'normal') AS open_normal,
       count(*) FILTER (WHERE l AND o AND t.priority = 'high') AS open_high,
       count(*) FILTER (WHERE l AND o AND t.priority = 'urgent') AS open_urgent,
       coalesce(sum(t.estimate_min) FILTER (WHERE l AND o), 0)::bigint AS open_estimate,
       coalesce(sum(w) FILTER (WHERE l AND t.status <> 'canceled'), 0)::bigint AS weight,
       coalesce(sum(w * t.progress) FILTER (WHERE l AND t.status <> 'canceled'), 0)::bigint AS weight_progress
  FROM project p
  LEFT JOIN task t ON t.tenant_id = p.tenant_id AND t.project_id = p.id
  CROSS JOIN LATERAL (SELECT t.id IS NOT NULL AND t.deleted_at IS NULL AS l, {_OPEN} AS o,
                             coalesce(nullif(t.estimate_min, 0), 1) AS w) f
 WHERE p.tenant_id = $1 GROUP BY p.id"""  # noqa: S608 - constants
_DUES: Final = f"""
SELECT t.due_on, t.project_id, count(*) AS open FROM task t
 WHERE t.tenant_id = $1 AND t.deleted_at IS NULL AND {_OPEN} AND t.due_on IS NOT NULL GROUP BY 1, 2"""  # noqa: S608 - our own names; values are bound
_DAYS: Final = """
SELECT x.day, x.project_id, sum(x.created)::bigint AS created, sum(x.done)::bigint AS done
  FROM (SELECT t.created_day AS day, t.project_id, 1 AS created, 0 AS done FROM task t
         WHERE t.tenant_id = $1 AND t.deleted_at IS NULL
        UNION ALL
        SELECT t.closed_day, t.project_id, 0, 1 FROM task t
         WHERE t.tenant_id = $1 AND t.deleted_at IS NULL AND t.status = 'done') x GROUP BY 1, 2"""
_PEOPLE: Final = f"""
SELECT a.member_id, count(*) AS open FROM task_assignee a
  JOIN task t ON t.tenant_id = a.tenant_id AND t.id = a.task_id
 WHERE a.tenant_id = $1 AND t.deleted_at IS NULL AND {_OPEN} GROUP BY 1"""  # noqa: S608 - constants

_STATS_COLUMNS: Final = (
    "backlog, in_progress, blocked, done, canceled, trashed, all_low, all_normal, all_high, all_urgent,"
    " open_low, open_normal, open_high, open_urgent, open_estimate, weight, weight_progress"
)


def _differs(table: str, keys: str, columns: str, truth: str, zero: str) -> str:
    """Return SQL for the rows of a counter table that are not what the tasks say; rows of zeros may be missing."""
    kept = f"SELECT {keys}, {columns} FROM {table} WHERE tenant_id = $1 AND NOT ({zero})"  # noqa: S608 - constants
    told = f"SELECT {keys}, {columns} FROM ({truth}) truth WHERE NOT ({zero})"  # noqa: S608 - constants
    return f"(({kept}) EXCEPT ({told})) UNION ALL (({told}) EXCEPT ({kept}))"


_COUNTER: Final = """
SELECT p.id FROM project p
  LEFT JOIN project_counter c ON c.tenant_id = p.tenant_id AND c.project_id = p.id
 WHERE p.tenant_id = $1 AND (c.last_number IS NULL OR c.last_number <
       (SELECT coalesce(max(t.number), 0) FROM task t WHERE t.tenant_id = p.tenant_id AND t.project_id = p.id))"""
# Grouped rather than joined: right after an import the planner knows no numbers yet and would pick a nested loop.
_PROGRESS: Final = """
SELECT x.id, max(x.shown) AS shown, round(avg(x.part)) AS mean
  FROM (SELECT t.id, t.progress AS shown, t.own_progress AS own, t.status, NULL::smallint AS part FROM task t
         WHERE t.tenant_id = $1 AND t.deleted_at IS NULL
        UNION ALL
        SELECT c.parent_id, NULL, NULL, NULL, c.progress FROM task c
         WHERE c.tenant_id = $1 AND c.parent_id IS NOT NULL AND c.status <> 'canceled' AND c.deleted_at IS NULL) x
 GROUP BY x.id
HAVING max(x.shown) <> CASE WHEN max(x.status) = 'done' THEN 100 ELSE coalesce(round(avg(x.part)), max(x.own)) END"""
_PARENT: Final = """
SELECT t.id FROM task t LEFT JOIN task p ON p.tenant_id = t.tenant_id AND p.id = t.parent_id
 WHERE t.tenant_id = $1 AND (t.depth <> coalesce(p.depth + 1, 0) OR p.project_id <> t.project_id
       OR (t.deleted_at IS NULL AND p.deleted_at IS NOT NULL))"""
_LINKS: Final = """
(SELECT t.id, x.id AS other FROM task t CROSS JOIN LATERAL unnest(t.assignee_ids || t.label_ids) AS x(id)
  WHERE t.tenant_id = $1
 EXCEPT (SELECT a.task_id, a.member_id FROM task_assignee a WHERE a.tenant_id = $1
         UNION ALL SELECT l.task_id, l.label_id FROM task_label l WHERE l.tenant_id = $1))
UNION ALL
((SELECT a.task_id, a.member_id FROM task_assignee a WHERE a.tenant_id = $1
  UNION ALL SELECT l.task_id, l.label_id FROM task_label l WHERE l.tenant_id = $1)
 EXCEPT SELECT t.id, x.id FROM task t CROSS JOIN LATERAL unnest(t.assignee_ids || t.label_ids) AS x(id)
  WHERE t.tenant_id = $1)"""
_HELD: Final = """
SELECT t.id FROM task t JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id
 WHERE t.tenant_id = $1 AND t.held_by_project AND t.deleted_at IS NULL
   AND (t.status <> 'blocked' OR p.status <> 'on_hold')"""

#: What makes the counters of a tenant true again, in this order. The first makes every writer of its tasks wait.
RECOUNT: Final = (
    "SELECT id FROM project WHERE tenant_id = $1 ORDER BY id FOR NO KEY UPDATE",
    (
        "INSERT INTO project_stats (tenant_id, project_id) SELECT tenant_id, id FROM project WHERE tenant_id = $1"
        " ON CONFLICT DO NOTHING"
    ),
    (
        f"UPDATE project_stats s SET ({_STATS_COLUMNS}) = (SELECT {_STATS_COLUMNS} FROM ({_STATS}) n"  # noqa: S608 - constants
        " WHERE n.project_id = s.project_id) WHERE s.tenant_id = $1"
    ),
    "DELETE FROM project_due_stats WHERE tenant_id = $1",
    f"INSERT INTO project_due_stats (tenant_id, due_on, project_id, open) SELECT $1, x.* FROM ({_DUES}) x",  # noqa: S608 - our own names; values are bound
    "DELETE FROM project_day_stats WHERE tenant_id = $1",
    f"INSERT INTO project_day_stats (tenant_id, day, project_id, created, done) SELECT $1, x.* FROM ({_DAYS}) x",  # noqa: S608 - our own names; values are bound
    "UPDATE assignee_stats SET open = 0 WHERE tenant_id = $1",
    (
        f"INSERT INTO assignee_stats AS s (tenant_id, member_id, open) SELECT $1, x.* FROM ({_PEOPLE}) x"  # noqa: S608 - our own names; values are bound
        " ON CONFLICT (tenant_id, member_id) DO UPDATE SET open = excluded.open"
    ),
)
_RECOUNT: Final = Repair(
    "recount",
    lock=RECOUNT[0],
    tables=("project_stats", "project_due_stats", "project_day_stats", "assignee_stats"),
    statements=RECOUNT[1:],
)
#: Numbers are given out once: the counter is only ever raised.
_RENUMBER: Final = Repair(
    "renumber",
    lock=RECOUNT[0],
    tables=("project_counter",),
    statements=(
        (
            "INSERT INTO project_counter AS c (tenant_id, project_id, last_number)"
            " SELECT p.tenant_id, p.id, coalesce(max(t.number), 0) FROM project p"
            " LEFT JOIN task t ON t.tenant_id = p.tenant_id AND t.project_id = p.id WHERE p.tenant_id = $1"
            " GROUP BY p.tenant_id, p.id ON CONFLICT (tenant_id, project_id)"
            " DO UPDATE SET last_number = greatest(c.last_number, excluded.last_number)"
        ),
    ),
)

#: What the figures are told from.
COUNTERS: Final = (
    Check("project_stats", _differs("project_stats", "project_id", _STATS_COLUMNS, _STATS, "false"), _RECOUNT),
    Check(
        "project_due_stats", _differs("project_due_stats", "due_on, project_id", "open", _DUES, "open = 0"), _RECOUNT
    ),
    Check(
        "project_day_stats",
        _differs("project_day_stats", "day, project_id", "created, done", _DAYS, "created = 0 AND done = 0"),
        _RECOUNT,
    ),
    Check("assignee_stats", _differs("assignee_stats", "member_id", "open", _PEOPLE, "open = 0"), _RECOUNT),
)
CHECKS: Final = (
    *COUNTERS,
    Check("project_counter", _COUNTER, _RENUMBER),
    Check("task_progress", _PROGRESS),
    Check("task_parent", _PARENT),
    Check("task_links", _LINKS),
    Check("held_tasks", _HELD),
)
FILES: Final = StoredFiles(
    "import_run", "SELECT id, file_key AS key, size, sha256 FROM import_run WHERE tenant_id = $1 ORDER BY id"
)
