"""How a measure went over an hour, a day, a month: one row per step of time, merged over series and processes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.telemetry.sketch import merged, quantile


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time and the steps it is shown in. `resolution` in minutes of the rollups; None reads points."""

    id: str
    length: timedelta
    step: timedelta
    resolution: int | None


SPANS: Final = {
    span.id: span
    for span in (
        Span("1h", timedelta(hours=1), timedelta(minutes=1), None),
        Span("24h", timedelta(hours=24), timedelta(minutes=15), 5),
        Span("30d", timedelta(days=30), timedelta(hours=6), 60),
    )
}

_READ: Final = """
WITH p AS (SELECT date_bin($4::interval, {at}, 'epoch') AS step, n, bad, slow, peak, bins, counts FROM {source}
              AND series_id IN (SELECT id FROM ops.series WHERE metric = ANY($3))),
sums AS (SELECT step, sum(n)::bigint AS n, sum(bad)::bigint AS bad, sum(slow)::bigint AS slow, max(peak) AS peak
           FROM p GROUP BY 1),
each AS (SELECT step, bin, sum(c)::bigint AS c FROM p, unnest(bins, counts) AS u (bin, c) GROUP BY 1, 2),
sketch AS (SELECT step, array_agg(bin) AS bins, array_agg(c) AS counts FROM each GROUP BY 1)
SELECT step, n, bad, slow, peak, bins, counts FROM sums JOIN sketch USING (step)
"""
_POINT: Final = _READ.format(at="minute", source="ops.point WHERE minute >= $1 AND minute < $2")
_ROLLUP: Final = _READ.format(at="bucket", source="ops.rollup WHERE bucket >= $1 AND bucket < $2 AND resolution = $5")


@dataclass(frozen=True, slots=True)
class Moment:
    """One step that begins at `at` and was measured for `seconds`. `p95_ms` is None where nothing happened."""

    at: datetime
    seconds: float
    n: int = 0
    bad: int = 0
    slow: int = 0
    p95_ms: float | None = None

    @property
    def per_second(self) -> float:
        return self.n / self.seconds

    @property
    def bad_share(self) -> float:
        """The share that failed, 0..1."""
        return self.bad / self.n if self.n else 0.0


async def over_time(conn: Raw, metrics: Iterable[str], span: Span, now: datetime) -> list[Moment]:
    """Return each step of the span up to now, oldest first, those without events included.

    The minute that runs is left out of an hour: it would look like a fall of the rate.
    """
    last = _floor(now, span.step)
    until = last if span.resolution is None else last + span.step
    since = until - span.length
    more = () if span.resolution is None else (span.resolution,)
    statement = _POINT if span.resolution is None else _ROLLUP
    rows = {row["step"]: row for row in await conn.fetch(statement, since, until, list(metrics), span.step, *more)}
    steps = [since + span.step * number for number in range(round(span.length / span.step))]
    return [_moment(at, min((now - at).total_seconds(), span.step.total_seconds()), rows.get(at)) for at in steps]


def _moment(at: datetime, seconds: float, row: Any) -> Moment:
    seconds = max(seconds, 1.0)
    if row is None:
        return Moment(at, seconds)
    found = quantile(merged([(row["bins"], row["counts"])]), 0.95)
    p95 = None if found is None else min(found, float(row["peak"]))
    return Moment(at, seconds, row["n"], row["bad"], row["slow"], p95)


def _floor(at: datetime, step: timedelta) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // step.total_seconds() * step.total_seconds(), UTC)
