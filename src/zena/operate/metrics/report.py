"""The answer of `/api/v1/metrics`: rates, errors and quantiles of a window, for people and for scripts."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.kit.queue.admin import sizes
from zena.operate.crossings.figures import crossings
from zena.operate.metrics.read import Measured, read_series, together
from zena.operate.metrics.statements import known
from zena.operate.realtime.processes import live
from zena.operate.slo.burn import as_json, freshness, statuses
from zena.operate.telemetry.limits import slow_after

HTTP: Final = ("http.dashboard", "http.api", "http.page", "http.heavy", "http.anonymous", "http.own")
_SLOWEST: Final = 20
_STATEMENTS: Final = """
SELECT coalesce(sum(p.n), 0)::bigint FROM ops.point p JOIN ops.series s ON s.id = p.series_id
 WHERE p.minute >= $1 AND p.minute < $2 AND s.metric = 'query'
"""
_PROCESSES: Final = """
SELECT role, host, pid, release, started_at, seen_at, now() - seen_at < interval '35 seconds' AS alive,
       coalesce((facts ->> 'dropped_lines')::bigint, 0) AS dropped_lines, facts ->> 'log_trouble' AS log_trouble
  FROM ops.heartbeat WHERE seen_at > now() - interval '1 hour' AND NOT facts ? 'ended' ORDER BY role, started_at
"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a part is told from: the series of the window by metric, and whatever else it reads."""

    conn: Raw
    now: datetime
    since: datetime
    until: datetime
    seconds: float
    found: dict[str, list[Measured]] = field(default_factory=dict)

    def figures(self, one: Measured) -> dict[str, Any]:
        return _figures(one, self.seconds)


async def report(conn: Raw, now: datetime, window: timedelta, parts: Collection[str] | None = None) -> dict[str, Any]:
    """Return what was measured in the window that ends now, the minute that is not over included.

    `parts` are names of PARTS, None for all that are told to everybody: reading and merging series is what takes time.
    """
    wanted = PARTS if parts is None else parts
    since, until = _window(now, window)
    seen = _Seen(conn, now, since, until, (min(now, until) - since).total_seconds())
    metrics = [metric for part in wanted for metric in _PARTS[part][0]]
    for series in await read_series(conn, metrics, since, until):
        seen.found.setdefault(series.metric, []).append(series)
    return {
        "at": now,
        "window": {"since": since, "until": min(now, until), "seconds": round(seen.seconds, 1)},
        **{part: await _PARTS[part][1](seen) for part in wanted},
    }


def _window(now: datetime, window: timedelta) -> tuple[datetime, datetime]:
    """Return whole minutes: from the one in which the window begins to the end of the running one."""
    until = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    since = now - window
    return since.replace(second=0, microsecond=0), until


async def _http(seen: _Seen) -> dict[str, Any]:
    """Total over what users do; `own` (health, metrics, files) is listed, not counted."""
    found = seen.found
    counted = [one for metric in HTTP if metric != "http.own" for one in found.get(metric, [])]
    families = {
        metric.removeprefix("http."): seen.figures(together(found[metric])) for metric in HTTP if metric in found
    }
    routes = [
        {"route": one.label, "family": family, "slow_after_ms": slow_after(family), **seen.figures(one)}
        for metric in HTTP
        for family in [metric.removeprefix("http.")]
        for one in found.get(metric, [])
    ]
    return {**seen.figures(together(counted)), "families": families, "routes": _busiest(routes)}


async def _statements(seen: _Seen) -> int:
    """Return how many were sent, without looking at each kind."""
    sent: int = await seen.conn.fetchval(_STATEMENTS, seen.since, seen.until)
    return sent


async def _database(seen: _Seen) -> dict[str, Any]:
    queries = seen.found.get("query", [])
    slowest = sorted(queries, key=lambda one: -one.total)[:_SLOWEST]
    texts = await known(seen.conn, [one.label for one in slowest])
    unknown = {"text": None, "caller": None}
    costly = [
        {
            "fingerprint": one.label,
            **texts.get(one.label, unknown),
            "total_ms": _round(one.total),
            **seen.figures(one),
        }
        for one in slowest
    ]
    waits = seen.figures(together(seen.found.get("pool.wait", [])))
    return {**seen.figures(together(queries)), "pool_wait": waits, "costliest": costly}


async def _cache(seen: _Seen) -> dict[str, Any]:
    reasons: dict[str, dict[str, int]] = {}
    for miss in seen.found.get("cache.miss", []):
        family, _, reason = miss.label.rpartition(":")
        reasons.setdefault(family, {})[reason] = miss.n
    families = [
        _hits(one) | {"family": one.label, "misses": reasons.get(one.label, {})} for one in seen.found.get("cache", [])
    ]
    return {**_hits(together(seen.found.get("cache", []))), "families": families}


async def _realtime(seen: _Seen) -> dict[str, Any]:
    counted = {
        name: {
            one.label: one.n for one in sorted(seen.found.get(f"ws.{metric}", []), key=lambda one: (-one.n, one.label))
        }
        for name, metric in (("entering", "enter"), ("closes", "close"), ("refused", "refused"))
    }
    delivery = seen.figures(together(seen.found.get("ws.delivery", [])))
    return {"delivery": delivery, **counted} | await live(seen.conn)


async def _queue(seen: _Seen) -> dict[str, Any]:
    found = seen.found
    waits = {one.label: one for one in found.get("job.wait", [])}
    jobs = [
        {
            "name": one.label,
            **seen.figures(one),
            "wait": seen.figures(waits[one.label]) if one.label in waits else None,
        }
        for one in found.get("job", [])
    ]
    return {
        **seen.figures(together(found.get("job", []))),
        "wait": seen.figures(together(waits.values())),
        "jobs": _busiest(jobs),
        "waiting": await sizes(seen.conn),
    }


async def _security(seen: _Seen) -> dict[str, Any]:
    return {"cross_tenant": await crossings(seen.conn, seen.now, seen.until - seen.since)}


async def _processes(seen: _Seen) -> list[dict[str, Any]]:
    return [dict(row) for row in await seen.conn.fetch(_PROCESSES)]


async def _loop_lag(seen: _Seen) -> dict[str, Any]:
    return {one.label: seen.figures(one) for one in seen.found.get("loop.lag", [])}


async def _slo(seen: _Seen) -> list[dict[str, Any]]:
    return [as_json(status) for status in await statuses(seen.conn, seen.now)]


async def _slo_age(seen: _Seen) -> float | None:
    return await freshness(seen.conn, seen.now)


def _figures(one: Measured, seconds: float) -> dict[str, Any]:
    return {
        "count": one.n,
        "per_second": round(one.n / seconds, 3) if seconds else None,
        "bad": one.bad,
        "bad_rate": round(one.bad / one.n, 6) if one.n else None,
        "slow": one.slow,
        "slow_rate": round(one.slow / one.n, 6) if one.n else None,
        "mean_ms": _round(one.mean),
        "p50_ms": _round(one.quantile(0.50)),
        "p95_ms": _round(one.quantile(0.95)),
        "p99_ms": _round(one.quantile(0.99)),
        "max_ms": _round(one.peak if one.n else None),
    }


def _hits(one: Measured) -> dict[str, Any]:
    return {"lookups": one.n, "hits": one.n - one.bad, "hit_rate": round(1 - one.bad / one.n, 4) if one.n else None}


def _busiest(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: -row["count"])


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


#: Each part: the metrics whose series it is told from, and how.
_PARTS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[_Seen], Awaitable[Any]]]]] = {
    "http": (HTTP, _http),
    "database": (("query", "pool.wait"), _database),
    "cache": (("cache", "cache.miss"), _cache),
    "queue": (("job", "job.wait"), _queue),
    "realtime": (("ws.delivery", "ws.enter", "ws.close", "ws.refused"), _realtime),
    "security": ((), _security),
    "processes": ((), _processes),
    "loop_lag": (("loop.lag",), _loop_lag),
    "slo": ((), _slo),
    "slo_age_seconds": ((), _slo_age),
    "statements": ((), _statements),
}
PARTS: Final = tuple(part for part in _PARTS if part != "statements")
