"""How a project stands, from its counters. Pure: page, API and job give the same answer for the same numbers."""

from dataclasses import dataclass
from typing import Literal

import msgspec

Schedule = Literal["no_tasks", "on_track", "at_risk", "delayed"]
Cost = Literal["no_data", "on_budget", "at_risk", "over_budget"]
Overall = Literal["good", "warning", "critical"]

#: Up to so many overdue tasks a schedule is at risk; more and it is delayed.
TOLERATED_OVERDUE = 3
#: Up to so many percent above the plan a budget is at risk; more and it is overrun.
TOLERATED_OVERRUN = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """The counters health is judged by. Money in minor units."""

    total: int
    done: int
    canceled: int
    overdue: int
    planned: int
    actual: int


class Health(msgspec.Struct, frozen=True):
    """The judgement. `overrun` is percent above the plan, None where nothing was planned."""

    overall: Overall
    schedule: Schedule
    cost: Cost | None
    completion: float
    overdue: int
    overrun: float | None

    def without_cost(self) -> "Health":
        """Return what somebody without sight of cost may see: the judgement, not the figures behind it."""
        return msgspec.structs.replace(self, cost=None, overrun=None)


def health_of(standing: Standing) -> Health:
    """Judge one project."""
    schedule, cost = _schedule(standing), _cost(standing)
    return Health(
        overall=_overall(schedule, cost),
        schedule=schedule,
        cost=cost,
        completion=share(standing.done, standing.total - standing.canceled),
        overdue=standing.overdue,
        overrun=_overrun(standing),
    )


def share(part: int, whole: int) -> float:
    """Return a part as percent of the whole with two decimals; 0 of nothing."""
    return round(part * 100 / whole, 2) if whole > 0 else 0.0


def _schedule(standing: Standing) -> Schedule:
    if standing.total == 0:
        return "no_tasks"
    if standing.overdue == 0:
        return "on_track"
    return "at_risk" if standing.overdue <= TOLERATED_OVERDUE else "delayed"


def _overrun(standing: Standing) -> float | None:
    if standing.planned <= 0:
        return None
    return round((standing.actual - standing.planned) * 100 / standing.planned, 2)


def _cost(standing: Standing) -> Cost:
    if standing.planned <= 0:
        return "no_data"
    # In whole numbers: a rounded 10.00 % may be more than ten.
    excess = (standing.actual - standing.planned) * 100
    if excess <= 0:
        return "on_budget"
    return "at_risk" if excess <= TOLERATED_OVERRUN * standing.planned else "over_budget"


def _overall(schedule: Schedule, cost: Cost) -> Overall:
    if schedule == "delayed" or cost == "over_budget":
        return "critical"
    return "good" if schedule == "on_track" and cost == "on_budget" else "warning"
