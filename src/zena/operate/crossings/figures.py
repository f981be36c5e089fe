"""Attempts on other firms in numbers, and the last of them: for metrics, the console and commands."""

from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw

KEPT: Final = timedelta(days=35)

_COUNTS: Final = """
SELECT count(*) AS attempts, count(*) FILTER (WHERE severity = 'low') AS low,
       count(*) FILTER (WHERE severity = 'high') AS high, count(DISTINCT (tenant, person)) AS people,
       max(at) AS last_at
  FROM ops.crossing WHERE at >= $1
"""
_PEOPLE: Final = """
SELECT tenant, person, count(*) AS attempts, count(DISTINCT owner) AS firms, bool_or(severity = 'high') AS high,
       max(at) AS last_at FROM ops.crossing WHERE at >= $1
 GROUP BY tenant, person ORDER BY high DESC, attempts DESC, last_at DESC, person LIMIT $2
"""
_LAST: Final = """
SELECT at, tenant, person, way, kind, reference, route, request_id, client, owner, severity FROM ops.crossing
 WHERE at >= $1 ORDER BY at DESC, id DESC LIMIT $2
"""
_MOST: Final = 20


async def crossings(conn: Raw, now: datetime, window: timedelta) -> dict[str, Any]:
    """Return how many attempts there were in the window, how grave, and by whom: those with the gravest first."""
    counts = await conn.fetchrow(_COUNTS, now - window)
    people = await conn.fetch(_PEOPLE, now - window, _MOST)
    return {**dict(counts or {}), "by_person": [dict(row) for row in people]}


async def last_crossings(conn: Raw, since: datetime) -> list[dict[str, Any]]:
    """Return the last attempts since then, at most 20."""
    return [dict(row) for row in await conn.fetch(_LAST, since, _MOST)]


async def drop_old(conn: Raw, now: datetime) -> None:
    await conn.execute("DELETE FROM ops.crossing WHERE at < $1", now - KEPT)
