"""The sessions of the server, and who waits for whom."""

from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.database.plain import without_values

# What blocks is named with what it is, as its own row may be far below.
_SESSIONS: Final = """
SELECT a.pid,
       concat_ws(' ', a.usename, nullif(a.application_name, ''), nullif(a.backend_type, 'client backend')) AS who,
       coalesce(a.state, 'background') AS state,
       date_trunc('milliseconds', now() - coalesce(CASE WHEN a.state = 'active' THEN a.query_start END, a.state_change,
                                                   a.backend_start))::text AS age,
       date_trunc('milliseconds', now() - a.xact_start)::text AS in_transaction,
       CASE WHEN a.state = 'active' OR a.state IS NULL
            THEN concat_ws(': ', a.wait_event_type, a.wait_event) END AS waits,
       (SELECT string_agg(format('%s (%s)', b.pid, concat_ws(' ', b.usename, b.application_name, b.state)), ', '
                          ORDER BY b.pid)
          FROM pg_stat_activity b WHERE b.pid = ANY (pg_blocking_pids(a.pid))) AS blockers,
       (SELECT string_agg(DISTINCT coalesce(l.relation::regclass::text, l.locktype), ', ')
          FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted AND l.database IN (0, d.oid) IS NOT FALSE) AS wanted,
       a.query
  FROM pg_stat_activity a JOIN pg_database d ON d.datname = current_database()
 WHERE a.pid <> pg_backend_pid() AND (a.datname = d.datname OR $1 AND a.datname IS NULL)
   AND ($1 OR a.state <> 'idle')
 ORDER BY cardinality(pg_blocking_pids(a.pid)) > 0 DESC, a.xact_start NULLS LAST, a.pid
"""


async def sessions(conn: Raw, *, everything: bool) -> list[dict[str, Any]]:
    """Return the sessions of this database, those that wait first, then the oldest transaction.

    `everything` adds idle ones and the server's own. Times as text; statements without values.
    """
    return [_session(dict(row)) for row in await conn.fetch(_SESSIONS, everything)]


def _session(row: dict[str, Any]) -> dict[str, Any]:
    blockers, wanted = row.pop("blockers"), row.pop("wanted")
    waits_for = f"{blockers} for {wanted or 'a lock'}" if blockers else None
    return row | {"waits_for": waits_for, "statement": without_values(row.pop("query") or "")}
