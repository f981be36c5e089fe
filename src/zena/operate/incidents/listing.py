"""Incidents as they are read: in a list, and one with its timeline."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.incidents import timeline
from zena.operate.incidents.reach import reach

_READ: Final = """
SELECT i.id, i.symptom, i.scope, i.severity, i.says, i.cause, i.parent_id, i.began_at, i.opened_at, i.acked_at,
       i.mitigated_at, i.verified_at, i.closed_at,
       CASE WHEN i.closed_at IS NOT NULL THEN 'closed' WHEN i.acked_at IS NOT NULL THEN 'acknowledged'
            ELSE 'open' END AS state
  FROM ops.incident i WHERE {which}
"""
_LIST: Final = _READ.format(which="i.closed_at IS NULL OR $1 AND i.opened_at >= $2") + (
    " ORDER BY i.closed_at IS NOT NULL, i.closed_at IS NULL AND i.parent_id IS NOT NULL, i.opened_at DESC, i.id DESC"
    " LIMIT $3"
)
_ONE: Final = _READ.format(which="i.id = $1")
_MOST: Final = 100
_LAST: Final = "SELECT symptom, max(opened_at) AS at FROM ops.incident GROUP BY symptom ORDER BY symptom"
_NOTICES: Final = """
SELECT kind, channel, at, sent_at, failed_at, error FROM ops.notice WHERE incident_id = $1 ORDER BY id
"""
_NOW: Final = "SELECT says FROM ops.symptom WHERE symptom = $1 AND scope = $2"
_CALLED: Final = "SELECT text FROM ops.statement WHERE fingerprint = $1"
_CHILDREN: Final = "SELECT id FROM ops.incident WHERE parent_id = $1 ORDER BY id"


async def listed(conn: Raw, *, closed: bool, since: datetime, limit: int) -> list[dict[str, Any]]:
    """Return open incidents, the newest first and consequences last.

    With `closed` also those closed that were opened since an instant.
    """
    return [dict(row) for row in await conn.fetch(_LIST, closed, since, limit)]


async def one(conn: Raw, incident: int) -> dict[str, Any] | None:
    """Return an incident with its consequences, its timeline and who was told of it; None without one of that number.

    `intact` tells whether the chain of hashes over the timeline holds, `now` what was measured last while it is open,
    `statement` the text of the one that its scope stands for, if it does, `reach` whom it reached.
    """
    row = await conn.fetchrow(_ONE, incident)
    if row is None:
        return None
    told = await timeline.entries(conn, incident)
    children = [child["id"] for child in await conn.fetch(_CHILDREN, incident)]
    intact = not any(entry["broken"] for entry in told)
    notices = [dict(notice) for notice in await conn.fetch(_NOTICES, incident)]
    now = None if row["closed_at"] else await conn.fetchval(_NOW, row["symptom"], row["scope"])
    statement = await conn.fetchval(_CALLED, row["scope"])
    met = await reach(conn, row["began_at"], row["closed_at"] or await conn.fetchval("SELECT now()"))
    more = {"intact": intact, "notices": notices, "now": now, "statement": statement, "reach": asdict(met)}
    return dict(row) | {"children": children, "timeline": told} | more


async def last_opened(conn: Raw) -> dict[str, datetime]:
    """Return when an incident of each symptom was opened last; nothing of one that never was."""
    return {row["symptom"]: row["at"] for row in await conn.fetch(_LAST)}


async def whole(conn: Raw, *, since: datetime) -> list[dict[str, Any]]:
    """Return open incidents and those opened since an instant, each with its timeline: at most a hundred."""
    found = [await one(conn, row["id"]) for row in await listed(conn, closed=True, since=since, limit=_MOST)]
    return [told for told in found if told is not None]
