"""The statements that cost most, from what every process measured of its own."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.metrics.read import Measured, read_series

_KNOWN: Final = "SELECT fingerprint, text, caller FROM ops.statement WHERE fingerprint = ANY($1)"


async def known(conn: Raw, fingerprints: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return text and caller of statements, by fingerprint."""
    rows = await conn.fetch(_KNOWN, list(fingerprints))
    return {row["fingerprint"]: {"text": row["text"], "caller": row["caller"]} for row in rows}


async def costliest(conn: Raw, now: datetime, window: timedelta, limit: int) -> list[dict[str, Any]]:
    """Return at most `limit` statements of the window that ends now, by total time; durations in milliseconds."""
    until = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    series = await read_series(conn, ["query"], until - window, until)
    slowest = sorted(series, key=lambda one: -one.total)[:limit]
    texts = await known(conn, [one.label for one in slowest])
    return [_row(one, texts.get(one.label, {})) for one in slowest]


def _row(one: Measured, told: dict[str, Any]) -> dict[str, Any]:
    figures = {"total_ms": one.total, "mean_ms": one.mean, "p95_ms": one.quantile(0.95), "max_ms": one.peak}
    return {
        "fingerprint": one.label,
        "text": told.get("text"),
        "caller": told.get("caller"),
        "count": one.n,
        "slow": one.slow,
        "failed": one.bad,
        **{name: None if value is None else round(value, 1) for name, value in figures.items()},
    }
