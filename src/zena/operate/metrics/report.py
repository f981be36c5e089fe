"""The answer of `/api/v1/metrics`: rates, errors and quantiles of a window, for people and for scripts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.kit.queue.admin import sizes
from zena.operate.metrics.read import Measured, read_series, together
from zena.operate.metrics.statements import known
from zena.operate.realtime.processes import live
from zena.operate.slo.burn import as_json, freshness, statuses
from zena.operate.telemetry.limits import slow_after

HTTP: Final = ("http.dashboard", "http.api", "http.page", "http.heavy", "http.anonymous", "http.own")
_LIVE: Final = ("ws.delivery", "ws.close", "ws.refused")
_ALL: Final = (
    *HTTP,
    "query",
    "cache",
    "cache.miss",
    "job",
    "job.wait",
    "pool.wait",
    "loop.lag",
    *_LIVE,
    "sign_in",
)
_SLOWEST: Final = 20
_PROCESSES: Final = """
SELECT role, host, pid, release, started_at, seen_at, now() - seen_at < interval '35 seconds' AS alive,
       coalesce((facts ->> 'dropped_lines')::bigint, 0) AS dropped_lines, facts ->> 'log_trouble' AS log_trouble
  FROM ops.heartbeat WHERE seen_at > now() - interval '1 hour' AND NOT facts ? 'ended' ORDER BY role, started_at
"""


async def report(conn: Raw, now: datetime, window: timedelta) -> dict[str, Any]:
    """Return everything measured in the window that ends now, the minute that is not over included."""
    since, until = _window(now, window)
    found: dict[str, list[Measured]] = {}
    for series in await read_series(conn, _ALL, since, until):
        found.setdefault(series.metric, []).append(series)
    seconds = (min(now, until) - since).total_seconds()
    return {
        "at": now,
        "window": {"since": since, "until": min(now, until), "seconds": round(seconds, 1)},
        "http": _http(found, seconds),
        "database": await _database(conn, found, seconds),
        "cache": _cache(found),
        "queue": await _queue(conn, found, seconds),
        "realtime": _realtime(found, seconds) | await live(conn),
        "processes": [dict(row) for row in await conn.fetch(_PROCESSES)],
        "loop_lag": {one.label: _figures(one, seconds) for one in found.get("loop.lag", [])},
        "slo": [as_json(status) for status in await statuses(conn, now)],
        "slo_age_seconds": await freshness(conn, now),
    }


async def cache_figures(conn: Raw, now: datetime, window: timedelta) -> dict[str, Any]:
    """Return look-ups, hits and reasons of misses by family in the window that ends now, over all processes."""
    found: dict[str, list[Measured]] = {}
    for series in await read_series(conn, ("cache", "cache.miss"), *_window(now, window)):
        found.setdefault(series.metric, []).append(series)
    return _cache(found)


async def live_figures(conn: Raw, now: datetime, window: timedelta) -> dict[str, Any]:
    """Return delivery, closes and refusals of live connections in the window that ends now, over all processes."""
    since, until = _window(now, window)
    found: dict[str, list[Measured]] = {}
    for series in await read_series(conn, _LIVE, since, until):
        found.setdefault(series.metric, []).append(series)
    return _realtime(found, (min(now, until) - since).total_seconds())


def _window(now: datetime, window: timedelta) -> tuple[datetime, datetime]:
    """Return whole minutes: from the one in which the window begins to the end of the running one."""
    until = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    since = now - window
    return since.replace(second=0, microsecond=0), until


def _http(found: dict[str, list[Measured]], seconds: float) -> dict[str, Any]:
    """Total over what users do; `own` (health, metrics, files) is listed, not counted."""
    counted = [one for metric in HTTP if metric != "http.own" for one in found.get(metric, [])]
    families = {
        metric.removeprefix("http."): _figures(together(found[metric]), seconds) for metric in HTTP if metric in found
    }
    routes = [
        {"route": one.label, "family": family, "slow_after_ms": slow_after(family), **_figures(one, seconds)}
        for metric in HTTP
        for family in [metric.removeprefix("http.")]
        for one in found.get(metric, [])
    ]
    return {**_figures(together(counted), seconds), "families": families, "routes": _busiest(routes)}


async def _database(conn: Raw, found: dict[str, list[Measured]], seconds: float) -> dict[str, Any]:
    queries = found.get("query", [])
    slowest = sorted(queries, key=lambda one: -one.total)[:_SLOWEST]
    texts = await known(conn, [one.label for one in slowest])
    unknown = {"text": None, "caller": None}
    costly = [
        {
            "fingerprint": one.label,
            **texts.get(one.label, unknown),
            "total_ms": _round(one.total),
            **_figures(one, seconds),
        }
        for one in slowest
    ]
    waits = _figures(together(found.get("pool.wait", [])), seconds)
    return {**_figures(together(queries), seconds), "pool_wait": waits, "costliest": costly}


def _cache(found: dict[str, list[Measured]]) -> dict[str, Any]:
    reasons: dict[str, dict[str, int]] = {}
    for miss in found.get("cache.miss", []):
        family, _, reason = miss.label.rpartition(":")
        reasons.setdefault(family, {})[reason] = miss.n
    families = [
        _hits(one) | {"family": one.label, "misses": reasons.get(one.label, {})} for one in found.get("cache", [])
    ]
    return {**_hits(together(found.get("cache", []))), "families": families}


def _realtime(found: dict[str, list[Measured]], seconds: float) -> dict[str, Any]:
    counted = {
        name: {one.label: one.n for one in sorted(found.get(f"ws.{metric}", []), key=lambda one: (-one.n, one.label))}
        for name, metric in (("closes", "close"), ("refused", "refused"))
    }
    return {"delivery": _figures(together(found.get("ws.delivery", [])), seconds), **counted}


async def _queue(conn: Raw, found: dict[str, list[Measured]], seconds: float) -> dict[str, Any]:
    waits = {one.label: one for one in found.get("job.wait", [])}
    jobs = [
        {
            "name": one.label,
            **_figures(one, seconds),
            "wait": _figures(waits[one.label], seconds) if one.label in waits else None,
        }
        for one in found.get("job", [])
    ]
    return {
        **_figures(together(found.get("job", [])), seconds),
        "wait": _figures(together(waits.values()), seconds),
        "jobs": _busiest(jobs),
        "waiting": await sizes(conn),
    }


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
