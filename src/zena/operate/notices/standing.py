"""How the channels stand: when each was last heard by, when it last failed, and what waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.notices import muting
from zena.operate.notices.outbox import OVER, PATIENCE

_CHANNELS: Final = """
SELECT c.channel,
       (SELECT max(sent_at) FROM ops.notice n WHERE n.channel = c.channel AND n.sent_at IS NOT NULL) AS sent_at,
       f.error_at, f.error, w.waiting, w.since,
       (SELECT count(*) FROM ops.notice n
         WHERE n.channel = c.channel AND n.failed_at > $2 AND n.error <> $3) AS given_up
  FROM (SELECT unnest($1::text[]) AS channel
         UNION SELECT channel FROM ops.notice WHERE sent_at IS NULL AND failed_at IS NULL) AS c
 CROSS JOIN LATERAL (SELECT count(*) AS waiting, min(at) AS since
                  FROM ops.notice n WHERE n.channel = c.channel AND n.sent_at IS NULL AND n.failed_at IS NULL) AS w
  LEFT JOIN LATERAL (SELECT error_at, error FROM ops.notice n WHERE n.channel = c.channel AND n.error_at IS NOT NULL
                      ORDER BY n.error_at DESC, n.id DESC LIMIT 1) AS f ON true
 ORDER BY c.channel
"""
_WAITING: Final = """
SELECT n.id, n.incident_id AS incident, i.symptom, n.kind, n.channel, n.at, n.attempts, n.next_at, n.error
  FROM ops.notice n JOIN ops.incident i ON i.id = n.incident_id
 WHERE n.sent_at IS NULL AND n.failed_at IS NULL ORDER BY n.id LIMIT 100
"""


async def channels(conn: Raw, there: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    """Return each channel that is set or has something waiting.

    `sent_at` is its last success, `error` at `error_at` its last failure; `waiting` counts what is to be sent, the
    oldest from `since`; `given_up` what was, within a day.
    """
    rows = await conn.fetch(_CHANNELS, list(there), now - PATIENCE, OVER)
    return [dict(row) | {"set": row["channel"] in there} for row in rows]


async def waits(conn: Raw) -> list[dict[str, Any]]:
    """Return what is still to be sent, the oldest first, at most a hundred."""
    return [dict(row) for row in await conn.fetch(_WAITING)]


async def in_short(conn: Raw, there: Sequence[str], now: datetime) -> dict[str, Any]:
    """Return what `zena status` says: the channels, what waits, what was given up within a day, and what is muted."""
    found = await channels(conn, there, now)
    return {
        "channels": list(there),
        "waiting": sum(one["waiting"] for one in found),
        "given_up": sum(one["given_up"] for one in found),
        "failing": {one["channel"]: one["error"] for one in found if is_failing(one)},
        "muted": await muting.standing(conn, now),
    }


def is_failing(channel: dict[str, Any]) -> bool:
    """Tell whether the last that was tried over a channel failed."""
    error_at, sent_at = channel["error_at"], channel["sent_at"]
    return error_at is not None and (sent_at is None or error_at > sent_at)
