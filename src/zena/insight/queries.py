"""Reading the counters. No statement here touches a number of rows that grows with the number of tasks.

`_RUNNING` names the projects that are judged; archived ones are left out everywhere, trashed ones too.
"""

from datetime import date, timedelta
from typing import TypeAlias
from uuid import UUID

import asyncpg

from zena.kit.db import Raw
from zena.kit.scope import Scope

Row: TypeAlias = asyncpg.Record

#: A task that is due from today up to so many days ahead is due soon.
SOON = timedelta(days=3)
#: Cycle and lead time are told from so many tasks, those done last.
SAMPLE = 500

_SHOWN = "p.tenant_id = $1 AND p.deleted_at IS NULL AND p.status <> 'archived'"
_RUNNING = "p.tenant_id = $1 AND p.deleted_at IS NULL AND p.status IN ('planning', 'active', 'on_hold')"
_STATS = "project p JOIN project_stats s ON s.tenant_id = p.tenant_id AND s.project_id = p.id"
_TOTAL = "s.backlog + s.in_progress + s.blocked + s.done + s.canceled"

_VERSIONS = "SELECT versions FROM tenant_head WHERE tenant_id = $1"
_TOTALS = f"""
SELECT count(*) AS projects,
       count(*) FILTER (WHERE p.status = 'active') AS active,
       count(*) FILTER (WHERE p.status = 'completed') AS completed,
       count(*) FILTER (WHERE p.status = 'cancelled') AS cancelled,
       coalesce(sum(p.budget_planned), 0)::bigint AS planned,
       coalesce(sum(p.budget_actual), 0)::bigint AS actual,
       coalesce(sum(s.backlog), 0)::bigint AS backlog,
       coalesce(sum(s.in_progress), 0)::bigint AS in_progress,
       coalesce(sum(s.blocked), 0)::bigint AS blocked,
       coalesce(sum(s.done), 0)::bigint AS done,
       coalesce(sum(s.canceled), 0)::bigint AS canceled,
       coalesce(sum(s.all_low), 0)::bigint AS low,
       coalesce(sum(s.all_normal), 0)::bigint AS normal,
       coalesce(sum(s.all_high), 0)::bigint AS high,
       coalesce(sum(s.all_urgent), 0)::bigint AS urgent
  FROM {_STATS}
 WHERE {_SHOWN}"""  # noqa: S608 - put together from constants of this module
_DUE = f"""
SELECT coalesce(sum(d.open) FILTER (WHERE d.due_on < $2), 0)::bigint AS overdue,
       coalesce(sum(d.open) FILTER (WHERE d.due_on >= $2), 0)::bigint AS soon
  FROM project_due_stats d JOIN project p ON p.tenant_id = d.tenant_id AND p.id = d.project_id
 WHERE d.tenant_id = $1 AND d.due_on <= $3 AND d.open > 0 AND {_SHOWN}"""  # noqa: S608 - constants
_GROUPS = """
SELECT p.status, p.priority, count(*) AS projects
  FROM project p
 WHERE p.tenant_id = $1 AND p.deleted_at IS NULL
 GROUP BY 1, 2"""
_STANDINGS = f"""
SELECT p.id, p.key, p.name, p.status, p.end_on,
       coalesce(p.budget_planned, 0) AS planned, coalesce(p.budget_actual, 0) AS actual,
       {_TOTAL} AS total, s.done, s.canceled, coalesce(late.open, 0) AS overdue
  FROM {_STATS}
  LEFT JOIN (SELECT d.project_id, sum(d.open)::bigint AS open FROM project_due_stats d
              WHERE d.tenant_id = $1 AND d.due_on < $2 AND d.open > 0 GROUP BY 1) late ON late.project_id = p.id
 WHERE {_RUNNING}
 ORDER BY p.position, p.id"""  # noqa: S608 - constants
_PROJECT = f"""
SELECT p.id, p.key, p.name, p.status, p.end_on, p.budget_planned, p.budget_actual, s.*, {_TOTAL} AS total,
       late.overdue, late.soon
  FROM {_STATS}
 CROSS JOIN LATERAL (SELECT coalesce(sum(d.open) FILTER (WHERE d.due_on < $3), 0)::bigint AS overdue,
                            coalesce(sum(d.open) FILTER (WHERE d.due_on >= $3), 0)::bigint AS soon
                       FROM project_due_stats d
                      WHERE d.tenant_id = $1 AND d.project_id = $2 AND d.due_on <= $4) late
 WHERE p.tenant_id = $1 AND p.id = $2 AND p.deleted_at IS NULL"""  # noqa: S608 - constants
_OPEN_WORK = """
SELECT a.member_id AS member, u.name, a.open
  FROM assignee_stats a
  JOIN membership m ON m.tenant_id = a.tenant_id AND m.id = a.member_id
  JOIN user_account u ON u.id = m.user_id
 WHERE a.tenant_id = $1 AND a.open > 0
 ORDER BY a.open DESC, u.sort_key, a.member_id
 LIMIT $2"""
_DAYS = f"""
SELECT d.day, sum(d.created)::bigint AS created, sum(d.done)::bigint AS done
  FROM project_day_stats d JOIN project p ON p.tenant_id = d.tenant_id AND p.id = d.project_id
 WHERE d.tenant_id = $1 AND d.day BETWEEN $2 AND $3 AND {_SHOWN}
 GROUP BY 1"""  # noqa: S608 - constants
_DURATIONS = """
SELECT percentile_cont(ARRAY[0.5, 0.85]) WITHIN GROUP (ORDER BY cycle) AS cycle, count(cycle) AS cycles,
       percentile_cont(ARRAY[0.5, 0.85]) WITHIN GROUP (ORDER BY lead) AS lead, count(lead) AS leads
  FROM (SELECT extract(epoch FROM t.closed_at - t.started_at)::float8 / 86400 AS cycle,
               extract(epoch FROM t.closed_at - t.created_at)::float8 / 86400 AS lead
          FROM task t
         WHERE t.tenant_id = $1 AND t.closed_at IS NOT NULL AND t.deleted_at IS NULL AND t.status = 'done'
         ORDER BY t.closed_at DESC, t.id DESC LIMIT $2) last"""
_PAST = """
SELECT day, figures FROM kpi_snapshot
 WHERE tenant_id = $1 AND day <= $2 AND day > $3
 ORDER BY day DESC LIMIT 1"""
_HISTORY = "SELECT day, figures FROM kpi_snapshot WHERE tenant_id = $1 AND day >= $2 ORDER BY day"


async def versions(conn: Raw, scope: Scope) -> dict[str, int]:
    """Return the version of each family that an event has touched yet, as this transaction sees it."""
    found: dict[str, int] | None = await conn.fetchval(_VERSIONS, scope.tenant)
    return found or {}


async def totals(conn: Raw, scope: Scope) -> Row:
    """Return the sums over all projects that are shown."""
    return await _one(conn, _TOTALS, scope.tenant)


async def due(conn: Raw, scope: Scope) -> Row:
    """Return how many open tasks are `overdue`, and due `soon`."""
    return await _one(conn, _DUE, scope.tenant, scope.today, scope.today + SOON)


async def project_groups(conn: Raw, scope: Scope) -> list[Row]:
    """Return how many projects, archived ones too, have each status and priority."""
    return await _all(conn, _GROUPS, scope.tenant)


async def standings(conn: Raw, scope: Scope) -> list[Row]:
    """Return the running projects with what their health is judged by."""
    return await _all(conn, _STANDINGS, scope.tenant, scope.today)


async def project(conn: Raw, scope: Scope, project_id: UUID) -> Row | None:
    """Return one project's counters, archived or not; None where the tenant has no such project."""
    return await conn.fetchrow(_PROJECT, scope.tenant, project_id, scope.today, scope.today + SOON)


async def open_work(conn: Raw, scope: Scope, most: int) -> list[Row]:
    """Return the members with most open tasks."""
    return await _all(conn, _OPEN_WORK, scope.tenant, most)


async def days(conn: Raw, scope: Scope, first: date) -> list[Row]:
    """Return created and done per day from `first` to today; days on which nothing happened may be missing."""
    return await _all(conn, _DAYS, scope.tenant, first, scope.today)


async def durations(conn: Raw, scope: Scope) -> Row:
    """Return the percentiles of cycle and lead time in days, over the tasks done last."""
    return await _one(conn, _DURATIONS, scope.tenant, SAMPLE)


async def past(conn: Raw, scope: Scope, day: date, oldest: date) -> Row | None:
    """Return the latest snapshot of `day` or before, but after `oldest`."""
    return await conn.fetchrow(_PAST, scope.tenant, day, oldest)


async def history(conn: Raw, scope: Scope, first: date) -> list[Row]:
    """Return the snapshots from a day on, oldest first."""
    return await _all(conn, _HISTORY, scope.tenant, first)


async def _all(conn: Raw, statement: str, *arguments: object) -> list[Row]:
    return list(await conn.fetch(statement, *arguments))


async def _one(conn: Raw, statement: str, *arguments: object) -> Row:
    row = await conn.fetchrow(statement, *arguments)
    if row is None:
        raise LookupError("an aggregate without a row")
    return row
