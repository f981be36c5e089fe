"""Errors by what they have in common: stored by every process with its measurements, read by console and command."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from zena import __version__
from zena.kit.db import Raw
from zena.kit.logs.errors import Kind, kind_of_event
from zena.operate.logs.reading import Line, when

GROUPS_KEPT: Final = timedelta(days=90)
HOURS_KEPT: Final = timedelta(days=35)

_ACCESS: Final = "zena.requests"
_GROUP: Final = """
INSERT INTO ops.error_group AS g
       (fingerprint, code, what, place, channel, message, first_seen, last_seen, count, tenants, releases, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, ARRAY[$11], $12)
ON CONFLICT (fingerprint) DO UPDATE SET
    first_seen = least(g.first_seen, excluded.first_seen), last_seen = greatest(g.last_seen, excluded.last_seen),
    count = g.count + excluded.count,
    tenants = ARRAY(SELECT DISTINCT t FROM unnest(g.tenants || excluded.tenants) AS t ORDER BY t LIMIT 50),
    releases = CASE WHEN excluded.releases <@ g.releases THEN g.releases
                    ELSE (excluded.releases || g.releases)[1:10] END,
    request_id = coalesce(excluded.request_id, g.request_id)
"""
_HOUR: Final = """
INSERT INTO ops.error_hour AS h (fingerprint, hour, count) VALUES ($1, $2, $3)
ON CONFLICT (fingerprint, hour) DO UPDATE SET count = h.count + excluded.count
"""
_LIST: Final = """
SELECT g.fingerprint, g.code, g.what, g.place, g.channel, g.message, g.first_seen, g.last_seen, g.count, g.tenants,
       g.releases, g.request_id, coalesce(sum(h.count), 0)::bigint AS recent,
       EXISTS (SELECT FROM ops.request r WHERE r.request_id = g.request_id) AS kept
  FROM ops.error_group g
  LEFT JOIN ops.error_hour h ON h.fingerprint = g.fingerprint AND h.hour >= date_trunc('hour', $1::timestamptz)
 WHERE g.last_seen >= $1 AND ($2::text[] IS NULL OR g.channel = ANY ($2)) AND ($3::uuid IS NULL OR $3 = ANY (g.tenants))
 GROUP BY g.fingerprint ORDER BY recent DESC, g.last_seen DESC, g.fingerprint LIMIT $4
"""


async def store(conn: Raw, kinds: Iterable[Kind]) -> None:
    """Add what was counted, in one order for all processes. As zena_app, in a transaction."""
    for kind in sorted(kinds, key=lambda one: one.fingerprint):
        tenants = sorted(UUID(tenant) for tenant in kind.tenants)
        await conn.execute(
            _GROUP, kind.fingerprint, kind.code[:100], kind.what[:300], kind.place[:300], kind.channel, kind.message,
            kind.first, kind.last, kind.count, tenants, __version__, kind.request_id,
        )  # fmt: skip
        for hour, number in sorted(kind.hours.items()):
            await conn.execute(_HOUR, kind.fingerprint, hour, number)


async def grouped(
    conn: Raw, since: datetime, *, channels: list[str] | None = None, tenant: UUID | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return the kinds of error seen since an instant, the most frequent since its hour (`recent`) first."""
    return [dict(row) for row in await conn.fetch(_LIST, since, channels, tenant, limit)]


async def drop_old(conn: Raw, now: datetime) -> None:
    """Forget, as zena_ops, kinds that were not seen for 90 days, and the hours of five weeks ago."""
    await conn.execute("DELETE FROM ops.error_group WHERE last_seen < $1", now - GROUPS_KEPT)
    await conn.execute("DELETE FROM ops.error_hour WHERE hour < $1", now - HOURS_KEPT)


def grouped_lines(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return the same of lines read from files, as far as they tell: without releases, and counted as far as kept."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line.get("logger") == _ACCESS and "fingerprint" not in line:
            continue  # the error behind it has a line of its own
        group = _first(line)
        group = found.setdefault(group["fingerprint"], group)
        group["last_seen"] = when(line)
        group["count"] += 1
        group["request_id"] = line.get("request_id") or group["request_id"]
        if line.get("tenant") and line["tenant"] not in group["tenants"]:
            group["tenants"].append(line["tenant"])
    return sorted(found.values(), key=lambda one: (-one["count"], one["fingerprint"]))


def _first(line: Line) -> dict[str, Any]:
    """Begin a group with a line; the supervisor's lines do not name their kind."""
    kind = kind_of_event("ERROR", str(line.get("event")), str(line.get("logger")), str(line.get("channel")))
    return {
        "fingerprint": str(line.get("fingerprint", kind.fingerprint)),
        "code": line.get("code", kind.code),
        "what": line.get("what", kind.what),
        "place": line.get("place", kind.place),
        "channel": line.get("channel"),
        "first_seen": when(line),
        "count": 0,
        "tenants": [],
        "releases": [],
        "request_id": None,
    }
