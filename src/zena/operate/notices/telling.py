"""Which notices are due, by what stands in the database: what was missed, or was muted, is found at the next look."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from zena.kit.db import Raw
from zena.operate.notices import outbox
from zena.operate.notices.policy import NEVER_PLANNED, OPENINGS, QUIET, Case, due

if TYPE_CHECKING:
    from zena.settings import Settings

#: An incident whose causes are still looked for is told with them, or without after so long.
_EXPLAINED: Final = timedelta(seconds=60)
_CASES: Final = """
SELECT i.id, i.severity, i.opened_at, i.worse_at, i.flapping,
       (SELECT max(e.at) FROM ops.incident_event e WHERE e.incident_id = i.id AND e.kind = 'acknowledged') AS acked_at,
       EXISTS (SELECT FROM ops.incident p WHERE p.symptom = i.symptom AND p.scope = i.scope AND p.id < i.id
                  AND p.flapping AND p.closed_at > i.opened_at - $4::interval) AS announced,
       EXISTS (SELECT FROM ops.remedy_run r WHERE r.incident_id = i.id AND r.verdict = 'fixed'
                  AND r.undone_at IS NULL AND r.ended_at >= coalesce(i.worse_at, r.ended_at)) AS fixed,
       coalesce(n.told, '{}') AS told, coalesce(n.heard, '{}') AS heard, n.told_at
  FROM ops.incident i,
       LATERAL (SELECT array_agg(key) AS told, array_agg(channel) AS heard, max(at) AS told_at
                  FROM ops.notice WHERE incident_id = i.id) AS n
 WHERE i.closed_at IS NULL AND i.parent_id IS NULL
   AND (i.id = $1 OR $1::bigint IS NULL AND (i.cause IS NOT NULL OR i.opened_at < $2))
   AND NOT EXISTS (SELECT FROM ops.mute m WHERE m.ended_at IS NULL AND m.since <= $3 AND m.until > $3
                      AND (m.symptom IS NULL OR m.symptom = i.symptom))
   AND (i.symptom = ANY ($5) OR NOT EXISTS (SELECT FROM ops.maintenance WHERE mode <> 'up'))
 ORDER BY i.id
"""
_FLAPPING: Final = """
UPDATE ops.incident i SET flapping = true
 WHERE i.id = $1
   AND ((SELECT count(*) FROM ops.incident p WHERE p.symptom = i.symptom AND p.scope = i.scope
            AND p.opened_at > i.opened_at - $2::interval AND p.opened_at <= i.opened_at) > $3
     OR EXISTS (SELECT FROM ops.incident p WHERE p.symptom = i.symptom AND p.scope = i.scope AND p.id < i.id
                   AND p.flapping AND p.closed_at > i.opened_at - $2::interval))
"""


async def tell_opened(conn: Raw, settings: "Settings", incident: int, now: datetime) -> None:
    """Write who is told of a new incident, in the transaction that explains it."""
    if settings.alert_channels:
        await conn.execute(_FLAPPING, incident, QUIET * settings.pace, OPENINGS)
        await _tell(conn, settings, now, incident)


async def tell_due(conn: Raw, settings: "Settings", now: datetime) -> None:
    """Write what has become due of any open incident: steps, reminders, and what was missed."""
    if settings.alert_channels:
        await _tell(conn, settings, now, None)


async def _tell(conn: Raw, settings: "Settings", now: datetime, incident: int | None) -> None:
    explained, quiet = now - _EXPLAINED * settings.pace, QUIET * settings.pace
    for row in await conn.fetch(_CASES, incident, explained, now, quiet, list(NEVER_PLANNED)):
        await outbox.write(conn, row["id"], due(_case(row), settings.alert_channels, now, settings.pace), now)


def _case(row: Any) -> Case:
    names: Sequence[str] = ("id", "severity", "opened_at", "worse_at", "acked_at", "flapping", "announced", "fixed")
    facts = {name: row[name] for name in names}
    return Case(**facts, told=frozenset(row["told"]), heard=frozenset(row["heard"]), told_at=row["told_at"])
