"""The processes that take live connections, as they described themselves with their last sign of life."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from zena.kit.db import Raw

#: A process that did not read the outbox for longer, while somebody listens, does not follow it, seconds.
STUCK: Final = 5.0
#: Share of the database's notification queue that may be full: beyond, commits with notifications begin to fail.
_QUEUE_FULL: Final = 0.1

_PROCESSES: Final = """
SELECT process::text, role, host, pid, release, started_at, seen_at,
       extract(epoch FROM now() - seen_at)::float8 AS seen_seconds,
       now() - seen_at < interval '35 seconds' AS alive, facts -> 'live' AS live,
       EXISTS (SELECT FROM ops.heartbeat AS after WHERE after.role = one.role AND after.host = one.host
                  AND after.started_at > one.seen_at - interval '15 seconds'
                  AND after.started_at > one.started_at) AS replaced
  FROM ops.heartbeat AS one
 WHERE seen_at > now() - interval '10 minutes' AND facts ? 'live' AND NOT facts ? 'ended'
 ORDER BY role, host, started_at, process
"""
_QUEUE: Final = "SELECT pg_notification_queue_usage()"


async def processes(conn: Raw) -> list[dict[str, Any]]:
    """Return those that gave a sign of life in the last ten minutes and did not end in order.

    `live` is what kit/realtime/standing.py says, as of `seen_at`; `replaced` tells that another began since.
    """
    return [dict(row) for row in await conn.fetch(_PROCESSES)]


async def live(conn: Raw) -> dict[str, Any]:
    """Return the processes, their sums, the firms over all of them, and what needs a person."""
    found = await processes(conn)
    alive = [one for one in found if one["alive"]]
    firms: Counter[str] = Counter()
    for one in alive:
        firms.update(one["live"]["firms"])
    names = ("connections", "streams", "subscriptions", "unauthenticated")
    return {
        "processes": found,
        "totals": {name: sum(one["live"][name] for one in alive) for name in names},
        "firms": [{"tenant": tenant, "connections": count} for tenant, count in firms.most_common(50)],
        "findings": list(_findings(found, alive, await conn.fetchval(_QUEUE))),
    }


def _findings(found: Sequence[dict[str, Any]], alive: Sequence[dict[str, Any]], queue: float) -> Iterator[str]:
    if not alive:
        yield "no process reports live connections: start `zena serve` or `zena websocket serve`, ZENA_TELEMETRY on"
    for one in found:
        name = f"{one['role']} {one['host']} pid {one['pid']}"
        if not one["alive"] and not one["replaced"]:
            yield f"{name} fell silent {one['seen_seconds']:.0f} s ago and was not replaced"
        elif one["alive"]:
            yield from (f"{name} {what}" for what in _ailments(one["live"]))
    if queue > _QUEUE_FULL:
        yield f"the database's notification queue is {queue:.0%} full: some session listens and takes nothing"


def _ailments(live: dict[str, Any]) -> Iterator[str]:
    if (live["tail_seconds"] or 0) > STUCK:
        yield f"has not read the outbox for {live['tail_seconds']:.0f} s: `zena restart` it"
    elif live["tenants"] and not live["hears_the_bell"]:
        yield "is not woken by the database and looks once a second: ZENA_DATABASE_DIRECT_URL must go past the pooler"
    full = [tenant for tenant, count in live["firms"].items() if count >= live["firm_limit"]]
    for tenant in full:
        yield f"takes no more of firm {tenant}: {live['firm_limit']} connections (ZENA_WEBSOCKET_CONNECTIONS)"
