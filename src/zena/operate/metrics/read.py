"""Series of a window, merged over processes. Short windows are read from points, longer ones from rollups.

What the rollups do not hold yet is read from points, so that a long look back sees what a short one does.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from zena.kit.db import Raw
from zena.operate.telemetry.sketch import merged, quantile

#: Longest window read from points alone. An hour asked for is whole minutes: the first and the running one too.
POINTS: Final = timedelta(hours=1, minutes=1)

_READ: Final = """
WITH p AS (SELECT * FROM {source} AND series_id IN (SELECT id FROM ops.series WHERE metric = ANY($3))),
sums AS (SELECT series_id, sum(n)::bigint AS n, sum(bad)::bigint AS bad, sum(slow)::bigint AS slow, sum(total) AS total,
                max(peak) AS peak FROM p GROUP BY 1),
each AS (SELECT series_id, bin, sum(c)::bigint AS c FROM p, unnest(bins, counts) AS u (bin, c) GROUP BY 1, 2),
sketch AS (SELECT series_id, array_agg(bin) AS bins, array_agg(c) AS counts FROM each GROUP BY 1)
SELECT s.metric, s.label, sums.n, sums.bad, sums.slow, sums.total, sums.peak, sketch.bins, sketch.counts
  FROM sums JOIN sketch USING (series_id) JOIN ops.series s ON s.id = series_id ORDER BY s.metric, s.label
"""
_POINT: Final = _READ.format(source="ops.point WHERE minute >= $1 AND minute < $2")
#: Whole hours from those of an hour, what lies before and after them from those of five minutes, and the latest of
#: those, which is merged once a minute only, from points.
_EDGES: Final = """
WITH last AS (SELECT (SELECT max(bucket) FROM ops.rollup WHERE resolution = 60 AND bucket <= now()) AS hour,
                     (SELECT max(bucket) FROM ops.rollup WHERE resolution = 5 AND bucket <= now()) AS five),
edge AS (SELECT date_bin('5 minutes', $1, 'epoch') AS since, coalesce(five, $1) AS points,
                date_bin('1 hour', $1 + interval '1 hour' - interval '1 microsecond', 'epoch') AS first,
                coalesce(least(hour, date_bin('1 hour', $2, 'epoch')), $1) AS past FROM last),
p"""
_ROLLUP: Final = _READ.format(
    source="""(
  SELECT series_id, n, bad, slow, total, peak, bins, counts FROM ops.rollup
   WHERE resolution = 60 AND bucket >= (SELECT first FROM edge) AND bucket < (SELECT past FROM edge)
   UNION ALL
  SELECT series_id, n, bad, slow, total, peak, bins, counts FROM ops.rollup
   WHERE resolution = 5 AND bucket >= (SELECT since FROM edge) AND bucket < least($2, (SELECT points FROM edge))
     AND NOT (bucket >= (SELECT first FROM edge) AND bucket < (SELECT past FROM edge))
   UNION ALL
  SELECT series_id, n, bad, slow, total, peak, bins, counts FROM ops.point
   WHERE minute >= greatest($1, (SELECT points FROM edge)) AND minute < $2) AS known WHERE true"""
).replace("WITH p", _EDGES, 1)


@dataclass(frozen=True, slots=True)
class Measured:
    """One series, or several merged, over a window. Durations in milliseconds."""

    metric: str
    label: str
    n: int = 0
    bad: int = 0
    slow: int = 0
    total: float = 0.0
    peak: float = 0.0
    sketch: dict[int, int] = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    def quantile(self, share: float) -> float | None:
        """Return a quantile, never above the largest value seen; None of nothing."""
        found = quantile(self.sketch, share)
        return None if found is None else min(found, self.peak)


async def read_series(conn: Raw, metrics: Iterable[str], since: datetime, until: datetime) -> list[Measured]:
    """Return each series of the given metrics in [since, until); the ends of a long one may be five minutes off."""
    wanted = list(metrics)
    if until - since <= POINTS:
        rows = await conn.fetch(_POINT, since, until, wanted)
    else:
        rows = await conn.fetch(_ROLLUP, since, until, wanted)
    return [
        Measured(
            row["metric"], row["label"], row["n"], row["bad"], row["slow"], row["total"], row["peak"],
            dict(zip(row["bins"], row["counts"], strict=True)),
        )
        for row in rows
    ]  # fmt: skip


def together(series: Iterable[Measured], label: str = "all") -> Measured:
    """Return several series as one."""
    found = list(series)
    return Measured(
        found[0].metric if found else "",
        label,
        sum(one.n for one in found),
        sum(one.bad for one in found),
        sum(one.slow for one in found),
        sum(one.total for one in found),
        max((one.peak for one in found), default=0.0),
        merged((one.sketch.keys(), one.sketch.values()) for one in found),
    )
