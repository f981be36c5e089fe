"""Notices as they are kept: written in the transaction of what they tell, claimed by one sender, tried again."""

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.notices.policy import PAGE, Due

#: A sender that was killed in the middle has lost its claim after so long.
CLAIM: Final = timedelta(seconds=90)
#: What nobody takes for so long is given up.
PATIENCE: Final = timedelta(hours=24)
FIRST: Final = 5.0
LONGEST: Final = 600.0
#: What is not sent any more because the incident ended first.
OVER: Final = "the incident was over before it could be sent"
#: For what a page has no words.
_NO_PAGE: Final = frozenset({"explained", "verdict"})

_WRITE: Final = """
INSERT INTO ops.notice (incident_id, kind, channel, key, body, at, next_at)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $6) ON CONFLICT (key) DO NOTHING
"""
# Whoever heard of an incident hears how it goes on, until it was told to be over.
_FOLLOW: Final = """
INSERT INTO ops.notice (incident_id, kind, channel, key, body, at, next_at)
SELECT $1, $2, n.channel, concat_ws(':', $1::bigint, $2::text, $3::text, n.channel), $4::text::jsonb, $5, $5
  FROM (SELECT DISTINCT channel FROM ops.notice WHERE incident_id = $1) AS n
 WHERE n.channel <> ALL ($6)
   AND NOT EXISTS (SELECT FROM ops.notice c WHERE c.incident_id = $1 AND c.channel = n.channel AND c.kind = 'closed')
 ORDER BY n.channel
ON CONFLICT (key) DO NOTHING
"""
_WAITING: Final = """
SELECT DISTINCT channel FROM ops.notice
 WHERE sent_at IS NULL AND failed_at IS NULL AND next_at <= $1 AND channel = ANY ($2) ORDER BY channel
"""
# In the order in which it happened: the first opens the thread to which the others belong.
_CLAIM: Final = """
UPDATE ops.notice SET attempts = attempts + 1, next_at = $3
 WHERE id = (SELECT n.id FROM ops.notice n
              WHERE n.channel = $1 AND n.sent_at IS NULL AND n.failed_at IS NULL AND n.next_at <= $2
                AND NOT EXISTS (SELECT FROM ops.notice e WHERE e.incident_id = n.incident_id AND e.channel = n.channel
                                 AND e.id < n.id AND e.sent_at IS NULL AND e.failed_at IS NULL)
              ORDER BY n.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, incident_id, kind, channel, key, body, at, attempts,
    (SELECT f.ref FROM ops.notice f WHERE f.incident_id = notice.incident_id AND f.channel = notice.channel
        AND f.ref IS NOT NULL ORDER BY f.id LIMIT 1) AS ref
"""
_SENT: Final = "UPDATE ops.notice SET sent_at = $2, ref = $3 WHERE id = $1 AND failed_at IS NULL"
_AGAIN: Final = "UPDATE ops.notice SET next_at = $2, error = $3, error_at = $4 WHERE id = $1 AND sent_at IS NULL"
_FINAL: Final = "UPDATE ops.notice SET failed_at = $2, error = $3, error_at = $2 WHERE id = $1 AND sent_at IS NULL"
_GIVE_UP: Final = """
UPDATE ops.notice SET failed_at = $1, error = coalesce(error, 'no worker has this channel any more')
 WHERE sent_at IS NULL AND failed_at IS NULL AND at < $2 RETURNING channel, key, error
"""
# Nobody is to be woken for what is over; that it was is told.
_SUPERSEDE: Final = """
UPDATE ops.notice n SET failed_at = $1, error = $2
  FROM ops.incident i
 WHERE i.id = n.incident_id AND i.closed_at IS NOT NULL AND n.sent_at IS NULL AND n.failed_at IS NULL
   AND n.kind IN ('opened', 'worse', 'escalated', 'reminder', 'flapping')
"""


async def write(conn: Raw, incident: int, found: Sequence[Due], now: datetime) -> None:
    """Write what is due, as zena_ops; what was written before stays as it is."""
    for one in found:
        await conn.execute(_WRITE, incident, one.kind, one.channel, one.key, json.dumps({"text": one.text}), now)


async def follow(conn: Raw, incident: int | None, kind: str, text: str, now: datetime, *, which: str = "") -> None:
    """Tell those who heard of an incident how it goes on, in the transaction of what happened.

    `which` tells two of the same kind apart. A page is left as it is by a cause or a verdict.
    """
    deaf = [PAGE] if kind in _NO_PAGE else []
    await conn.execute(_FOLLOW, incident, kind, which or None, json.dumps({"text": text}), now, deaf)


async def waiting(conn: Raw, channels: Sequence[str], now: datetime) -> list[str]:
    """Return the channels over which something is to be sent now."""
    return [row["channel"] for row in await conn.fetch(_WAITING, now, list(channels))]


async def claim(conn: Raw, channel: str, now: datetime) -> dict[str, Any] | None:
    """Take the next notice of a channel; None if another sender has it. `ref` is the thread it belongs to, if any."""
    row = await conn.fetchrow(_CLAIM, channel, now, now + CLAIM)
    return dict(row) if row else None


async def sent(conn: Raw, notice: int, ref: str | None, now: datetime) -> None:
    """Write down that a notice was taken; `ref` is the other side's name for it."""
    await conn.execute(_SENT, notice, now, ref)


async def again(conn: Raw, notice: int, wait: timedelta, error: str, now: datetime) -> None:
    """Write down why a notice was not taken, and when it is tried again."""
    await conn.execute(_AGAIN, notice, now + wait, error, now)


async def failed(conn: Raw, notice: int, error: str, now: datetime) -> None:
    """Write down that a notice will never be taken."""
    await conn.execute(_FINAL, notice, now, error)


async def give_up(conn: Raw, now: datetime) -> list[dict[str, Any]]:
    """End what has waited for too long, and what is overtaken; return the former: channel, key and last error."""
    await conn.execute(_SUPERSEDE, now, OVER)
    return [dict(row) for row in await conn.fetch(_GIVE_UP, now, now - PATIENCE)]


def delay(attempts: int, wanted: float | None = None) -> timedelta:
    """Return how long to wait after so many attempts: 5 s, 10 ... 10 min, spread; at least what the other side wants.

    What it wants is believed up to an hour.
    """
    own = min(FIRST * 2 ** min(attempts - 1, 10), LONGEST) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    return timedelta(seconds=max(own, min(wanted or 0.0, 3600.0)))
