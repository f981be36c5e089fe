"""Exact counts of two windows at once, and when a share of them is believed."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from zena.operate.slo.burn import wilson_lower
from zena.operate.symptoms.contract import Look

#: Both windows have to agree: the long one proves it, the short one says that it goes on.
LONG, SHORT = 30, 5
#: So much of the limit closes what was opened: between the two nothing changes.
CALM: Final = 0.8
#: What is wrong is so for more than one minute.
MINUTES: Final = 2

_COUNTS: Final = """
SELECT s.metric, s.label, sum(p.n)::bigint AS n, sum(p.bad)::bigint AS bad, sum(p.slow)::bigint AS slow,
       sum(p.total) AS ms,
       coalesce(sum(p.n) FILTER (WHERE p.minute >= $2), 0)::bigint AS near_n,
       coalesce(sum(p.bad) FILTER (WHERE p.minute >= $2), 0)::bigint AS near_bad,
       coalesce(sum(p.slow) FILTER (WHERE p.minute >= $2), 0)::bigint AS near_slow,
       count(DISTINCT p.minute) FILTER (WHERE p.slow > 0) AS slow_minutes,
       count(DISTINCT p.minute) FILTER (WHERE p.bad > 0) AS bad_minutes, count(DISTINCT p.minute) AS minutes
  FROM ops.point p JOIN ops.series s ON s.id = p.series_id
 WHERE p.minute >= $1 AND p.minute <= $3 AND s.metric = ANY ($4) GROUP BY s.metric, s.label ORDER BY s.metric, s.label
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Events of one series in the long window and in the short one. `ms` is the time of all of them together.

    `minutes` counts those of the long window that had any, `slow_minutes` and `bad_minutes` those with such ones.
    """

    metric: str
    label: str
    n: int
    bad: int
    slow: int
    ms: float
    near_n: int
    near_bad: int
    near_slow: int
    slow_minutes: int
    bad_minutes: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Share:
    """Bad events of all, in the long window and in the short one, and in how many minutes there were any."""

    bad: int
    total: int
    near_bad: int
    near_total: int
    minutes: int = MINUTES

    @property
    def far(self) -> float:
        return self.bad / self.total if self.total else 0.0

    @property
    def near(self) -> float:
        return self.near_bad / self.near_total if self.near_total else 0.0

    def over(self, limit: float, *, least_bad: int = 3, least: int = 20) -> bool | None:
        """Tell whether the share is above the limit beyond chance, in both windows; None for too few events.

        The lower Wilson bound decides the long window: few events prove nothing. `least_bad` guards it where one bad
        event among few would already pass it. What was bad within one minute only may be a process that just started.
        """
        if self.minutes >= MINUTES and self.bad >= least_bad and wilson_lower(self.bad, self.total) > limit:
            return self.near > limit if self.near_total else None
        return None if self.total < least else False

    def calm(self, limit: float) -> bool:
        """Tell whether it is well below the limit just now, or nothing bad is left in either window."""
        return not self.bad or bool(self.near_total and self.near <= limit * CALM)


async def counted(look: Look, metrics: Collection[str], *, long: float = LONG, short: float = SHORT) -> list[Counted]:
    """Return what was counted of some metrics in the last `long` and the last `short` minutes, by label."""
    rows = await look.conn.fetch(_COUNTS, look.since(long), look.since(short), look.now, list(metrics))
    return [Counted(**dict(row)) for row in rows]


def slow_share(series: Collection[Counted]) -> Share:
    """Return the share of slow ones among those that did not fail: a failure may be quick, and counts elsewhere."""
    return Share(
        sum(one.slow for one in series),
        sum(one.n - one.bad for one in series),
        sum(one.near_slow for one in series),
        sum(one.near_n - one.near_bad for one in series),
        max((one.slow_minutes for one in series), default=0),
    )


def bad_share(series: Collection[Counted]) -> Share:
    """Return the share of failed ones among all."""
    return Share(
        sum(one.bad for one in series),
        sum(one.n for one in series),
        sum(one.near_bad for one in series),
        sum(one.near_n for one in series),
        max((one.bad_minutes for one in series), default=0),
    )
