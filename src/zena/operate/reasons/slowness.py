"""Why one request was slow: where its time went, what is usual for its route, what else went on just then."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.kit.tally import REPEATED
from zena.operate import changes
from zena.operate.metrics.read import read_series, together
from zena.operate.metrics.report import HTTP
from zena.operate.metrics.requests import request_called
from zena.operate.telemetry import limits

#: How far back the same route is compared: an hour, from what is counted by the minute, else a day from rollups.
_USUAL: Final = (timedelta(hours=1), timedelta(hours=24))
#: How far back changes are looked for.
_CHANGES: Final = timedelta(hours=1)
#: A share of the time that is named as its reason.
_MOST: Final = 0.4
#: The loop counts as blocked when a short sleep came later than this, milliseconds.
_BLOCKED: Final = 100.0
#: A process is cold for so long after its start.
_COLD: Final = timedelta(seconds=60)
#: So many times as long as the route's median is not slow by chance.
_TWICE: Final = 2.0

_SAMPLES: Final = """
SELECT count(*) AS n, avg(ms) AS ms, avg((facts->>'queries')::float8) AS queries,
       avg((facts->>'database_ms')::float8) AS database_ms
  FROM ops.request WHERE at >= $1 AND at <= $2 AND method = $3 AND route = $4 AND status < 500 AND ms < $5 / 2
"""
_STARTED: Final = "SELECT started_at FROM ops.heartbeat WHERE process = $1"


async def slowness(conn: Raw, request_id: str) -> dict[str, Any] | None:
    """Return a kept request with its parts, what is usual, what went on, and a verdict; None if it was not kept."""
    found = await request_called(conn, request_id)
    if found is None:
        return None
    at: datetime = found["at"]
    usual = await _usual(conn, found)
    started = await conn.fetchval(_STARTED, found["process"])
    return told(
        found,
        usual=usual,
        lag=await _peak(conn, "loop.lag", at, "web"),
        waits=await _peak(conn, "pool.wait", at),
        age=(at - started).total_seconds() if started else None,
        nearby=[one for one in await changes.listed(conn, at - _CHANGES, limit=50) if one["at"] <= at],
    )


def told(found: dict[str, Any], **around: Any) -> dict[str, Any]:
    """Put a record together with what is known around it. Without a database nothing is: then only its own parts."""
    facts, ms = found["facts"], max(found["ms"], 0.001)
    parts = {"database_ms": facts["database_ms"], "pool_wait_ms": facts["pool_wait_ms"]}
    parts["other_ms"] = round(max(0.0, ms - sum(parts.values())), 3)
    whole = {
        **found,
        "parts": {name: {"ms": spent, "share": round(spent / ms, 3)} for name, spent in parts.items()},
        "misses": {name: n for name, n in facts.get("cache", {}).items() if not name.endswith(":hit")},
        "loop_lag_ms": around.get("lag"),
        "pool_wait_peak_ms": around.get("waits"),
        "process_age_s": around.get("age"),
        "usual": around.get("usual"),
        "changes": around.get("nearby", []),
    }
    return whole | {"verdict": "; ".join(_verdict(whole))}


async def _usual(conn: Raw, found: dict[str, Any]) -> dict[str, Any]:
    """Return the route's figures up to this request, and the mean of kept requests that took less than half of it."""
    until: datetime = found["at"]
    end, label = until.replace(second=0, microsecond=0) + timedelta(minutes=1), f"{found['method']} {found['route']}"
    for length in _USUAL:
        since = end - length
        all_ = together([one for one in await read_series(conn, HTTP, since, end) if one.label == label])
        if all_.n > 1:  # more than the request itself
            break
    row = await conn.fetchrow(_SAMPLES, since, until, found["method"], found["route"], found["ms"])
    fast = {name: _round(row[name]) for name in ("n", "ms", "queries", "database_ms")} if row else {}
    return {
        "hours": length.total_seconds() / 3600,
        "count": all_.n,
        "p50_ms": _round(all_.quantile(0.5)),
        "p95_ms": _round(all_.quantile(0.95)),
        "fast": fast,
    }


async def _peak(conn: Raw, metric: str, at: datetime, label: str | None = None) -> float | None:
    """Return the largest value of a series in the minute of the request."""
    minute = at.replace(second=0, microsecond=0)
    found = await read_series(conn, [metric], minute, minute + timedelta(minutes=1))
    peaks = [one.peak for one in found if label in {None, one.label}]
    return _round(max(peaks)) if peaks else None


def _verdict(whole: dict[str, Any]) -> Iterator[str]:
    """Yield what took the time, the most telling first."""
    parts, usual = whole["parts"], whole["usual"] or {}
    median, slow_after = usual.get("p50_ms"), limits.slow_after(limits.family_of(whole["route"]))
    if whole["ms"] <= slow_after:
        yield f"not slow: that begins at {slow_after:g} ms for this route"
        return
    if median and whole["ms"] < median * _TWICE:
        yield f"usual for this route, whose median is {median:g} ms"
    yield from _database(whole)
    if parts["pool_wait_ms"]["share"] >= _MOST:
        yield "it waited for a free connection: see `zena db activity` for who holds them"
    if parts["other_ms"]["share"] >= _MOST:
        yield _elsewhere(whole)
    if whole["misses"]:
        yield f"computed anew, not in the cache: {', '.join(sorted(whole['misses']))}"
    age = whole["process_age_s"]
    if age is not None and 0 <= age < _COLD.total_seconds():
        yield f"its process was {age:.0f} s old, and cold"
    if whole["changes"]:
        yield f"{len(whole['changes'])} changes in the hour before, the last: {whole['changes'][0]['what']}"


def _database(whole: dict[str, Any]) -> Iterator[str]:
    statements = whole["facts"].get("statements", [])
    again = [one for one in statements if one["times"] >= REPEATED]
    for one in again:
        share = one["ms"] / max(whole["ms"], 0.001)
        yield f"N+1: one statement {one['times']} times from {one['caller'] or 'an unknown place'}, {share:.0%} of it"
    if whole["parts"]["database_ms"]["share"] < _MOST or again:
        return
    first = max(statements, key=lambda one: one["ms"], default=None)
    where = f", most in {first['fingerprint']} with {first['ms']:g} ms" if first else ""
    yield f"the database took {whole['parts']['database_ms']['share']:.0%}{where}"


def _elsewhere(whole: dict[str, Any]) -> str:
    lag, share = whole["loop_lag_ms"], whole["parts"]["other_ms"]["share"]
    if lag is not None and lag > _BLOCKED:
        return f"{share:.0%} outside of the database, in a minute in which something held the process up by {lag:g} ms"
    return f"{share:.0%} outside of the database: our own code, drawing, or waiting for the body"


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)
