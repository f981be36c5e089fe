"""Budgets and burn rates, from exact counts of good and total events by the minute.

Rules of the multi-window, multi-burn-rate alerts: Google SRE Workbook, chapter 5. Few events prove nothing: an alert
also needs the lower Wilson bound of the bad share above its threshold, and a least number of bad events.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.slo.objectives import OBJECTIVES, Objective

WINDOWS: Final = {
    "5m": timedelta(minutes=5),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "2h": timedelta(hours=2),
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "30d": timedelta(days=30),
}
#: severity, burn rate, long window, short window
RULES: Final = (
    ("page", 14.4, "1h", "5m"),
    ("page", 6.0, "6h", "30m"),
    ("ticket", 3.0, "1d", "2h"),
    ("ticket", 1.0, "3d", "6h"),
)
BUDGET: Final = "30d"
LEAST_BAD: Final = 10
LEAST_EVENTS: Final = 100
#: A burn rate that would need more than half of all events to be bad can hardly ever be reached: it is lowered to that.
MOST_BAD: Final = 0.5
Z95: Final = 1.96  # two-sided 95%
_IDS: Final = [objective.id for objective in OBJECTIVES]

#: Minutes of the last hours and at the beginning of a window, whole hours between: a month of minutes is too much to
#: add up each time. `cut` and `first` are the first whole hours within the last six and within the window. Lateral
#: sums, as a planner who may join takes all minutes for it.
_COUNTS: Final = """
WITH w AS (
    SELECT o.slo, name, $3::timestamptz - length AS since,
           date_bin('1 hour', $3::timestamptz - interval '6 hours', 'epoch') + interval '1 hour' AS cut,
           date_bin('1 hour', $3::timestamptz - length, 'epoch') + interval '1 hour' AS first
      FROM unnest($1::text[], $2::interval[]) AS u (name, length), unnest($4::text[]) AS o (slo)
)
SELECT w.slo, name, sum(good)::bigint AS good, sum(total)::bigint AS total FROM w, LATERAL (
    SELECT sum(good) AS good, sum(total) AS total FROM ops.sli i
     WHERE i.slo = w.slo AND i.minute >= cut AND i.minute > since AND i.minute <= $3
    UNION ALL
    SELECT sum(good), sum(total) FROM ops.sli i
     WHERE i.slo = w.slo AND i.minute > since AND i.minute < least(first, cut)
    UNION ALL
    SELECT sum(good), sum(total) FROM ops.sli_hour h WHERE h.slo = w.slo AND h.hour >= first AND h.hour < cut
) AS parts
 WHERE total IS NOT NULL GROUP BY w.slo, name
"""
_NEWEST: Final = """
SELECT max(newest) FROM unnest($1::text[]) AS o (slo),
       LATERAL (SELECT max(minute) AS newest FROM ops.sli WHERE sli.slo = o.slo) AS one
"""


@dataclass(frozen=True, slots=True)
class Count:
    good: int = 0
    total: int = 0

    @property
    def bad(self) -> int:
        return self.total - self.good


@dataclass(frozen=True, slots=True)
class Alert:
    """A burning budget: how urgent, the rate, and the window that shows it."""

    severity: str
    burn: float
    window: str


@dataclass(frozen=True, slots=True)
class Status:
    """Where one objective stands. `left` is the share of the budget that remains (negative: overspent), None for goals.

    `state`: ok, burning, exhausted or no_data. `exhausted_in` in seconds, at the rate of the last hour.
    """

    objective: Objective
    state: str
    counts: Mapping[str, Count]
    burns: Mapping[str, float | None]
    left: float | None
    exhausted_in: float | None
    alerts: list[Alert] = field(default_factory=list)


async def statuses(conn: Raw, now: datetime, pace: float = 1.0) -> list[Status]:
    """Return every objective's status at `now`, from one query. `pace` scales every window (1 but in the lab)."""
    lengths = [length * pace for length in WINDOWS.values()]
    rows = await conn.fetch(_COUNTS, list(WINDOWS), lengths, now, _IDS)
    found: dict[str, dict[str, Count]] = {}
    for row in rows:
        found.setdefault(row["slo"], {})[row["name"]] = Count(row["good"], row["total"])
    return [status_of(objective, found.get(objective.id, {})) for objective in OBJECTIVES]


async def freshness(conn: Raw, now: datetime) -> float | None:
    """Return how old the newest counts are, seconds; None if there are none."""
    newest = await conn.fetchval(_NEWEST, _IDS)
    return (now - newest).total_seconds() if newest else None


def status_of(objective: Objective, counts: Mapping[str, Count]) -> Status:
    burns = {name: burn(counts.get(name, Count()), objective.target) for name in WINDOWS}
    if objective.kind == "goal":
        return _goal(objective, counts, burns)
    alerts = [
        Alert(severity, round(burns[long] or 0, 2), long)
        for severity, rate, long, short in RULES
        if _burns(objective, counts, rate, long, short)
    ]
    month = counts.get(BUDGET, Count())
    if not month.total:
        return Status(objective, "no_data", counts, burns, None, None)
    left = 1 - month.bad / ((1 - objective.target) * month.total)
    state = "exhausted" if left <= 0 and month.bad >= LEAST_BAD else "burning" if alerts else "ok"
    return Status(objective, state, counts, burns, left, _time_left(left, burns["1h"]), alerts)


def burn(count: Count, target: float) -> float | None:
    """Return how many times faster than allowed the budget is spent: 1 spends it in exactly its period."""
    return count.bad / count.total / (1 - target) if count.total else None


def alarming_share(objective: Objective, rate: float) -> float:
    """Return the share of bad events above which a budget burns at this rate, as far as it can be reached at all."""
    return min(rate * (1 - objective.target), MOST_BAD)


def wilson_lower(bad: int, total: int, z: float = Z95) -> float:
    """Return the lower bound of a share (Wilson 1927): the lower end of its 95% interval."""
    if not total:
        return 0.0
    share, spread = bad / total, z * z / total
    middle = share + spread / 2
    return (middle - z * math.sqrt(share * (1 - share) / total + spread / (4 * total))) / (1 + spread)


def _burns(objective: Objective, counts: Mapping[str, Count], rate: float, long: str, short: str) -> bool:
    share = alarming_share(objective, rate)
    far, near = counts.get(long, Count()), counts.get(short, Count())
    if far.bad < LEAST_BAD or far.total < LEAST_EVENTS or not near.total:
        return False
    return wilson_lower(far.bad, far.total) > share and near.bad / near.total > share


def _goal(objective: Objective, counts: Mapping[str, Count], burns: Mapping[str, float | None]) -> Status:
    hour = counts.get("1h", Count())
    if hour.total < LEAST_EVENTS:
        return Status(objective, "no_data", counts, burns, None, None)
    missed = wilson_lower(hour.bad, hour.total) > 1 - objective.target
    return Status(objective, "burning" if missed else "ok", counts, burns, None, None)


def _time_left(left: float, rate: float | None) -> float | None:
    return left * WINDOWS[BUDGET].total_seconds() / rate if rate and left > 0 else None


def as_json(status: Status) -> dict[str, Any]:
    objective = status.objective
    return {
        "id": objective.id,
        "title": objective.title,
        "target": objective.target,
        "kind": objective.kind,
        "state": status.state,
        "budget_left": None if status.left is None else round(status.left, 4),
        "exhausted_in_seconds": None if status.exhausted_in is None else round(status.exhausted_in),
        "windows": {
            name: {"good": count.good, "total": count.total, "burn": _round(status.burns[name])}
            for name, count in status.counts.items()
        },
        "alerts": [{"severity": alert.severity, "burn": alert.burn, "window": alert.window} for alert in status.alerts],
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
