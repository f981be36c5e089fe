"""Whom an incident reaches: what people asked while it was open, how much of that was slow or failed, and whose it was.

It says what happened meanwhile, not what the incident did: whoever reads it knows which of the two the symptom means.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from zena.kit.db import Raw
from zena.operate.metrics.read import Measured, read_series, together
from zena.operate.telemetry.rollup import USERS

_FIRMS: Final = "tenant"
_OWN: Final = "SELECT CAST(id AS text) FROM gate.own_firms() AS id"
_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Reached:
    """Requests of one firm (`label` is its id) or for one screen (`label` is its route)."""

    label: str
    asked: int
    slow: int
    failed: int


@dataclass(frozen=True, slots=True)
class Reach:
    """Requests of all firms, and the ten firms and screens that were worst hit.

    Requests by which the installation tries itself count as such; its own firms do not. `hit` is how many firms had a
    slow or failed one; `says` all of it in a line without names of firms, as it may leave the house.
    """

    asked: int
    slow: int
    failed: int
    hit: int
    says: str
    firms: Sequence[Reached]
    screens: Sequence[Reached]


async def reach(conn: Raw, began: datetime, until: datetime) -> Reach:
    """Return whom it reached from the minute in which it began; nothing of a time whose minutes are no longer kept."""
    found = await read_series(conn, [_FIRMS, *USERS], began.replace(second=0, microsecond=0), _next_minute(until))
    own = {row["id"] for row in await conn.fetch(_OWN)}
    asked = [one for one in found if one.metric != _FIRMS]
    firms = _worst(one for one in found if one.metric == _FIRMS and one.label not in own)
    screens, every = _worst(asked), together(asked)
    says = _says(every, len(firms), screens[0].label if screens else "")
    return Reach(every.n, every.slow, every.bad, len(firms), says, firms[:_MOST], screens[:_MOST])


def _says(every: Measured, firms: int, worst: str) -> str:
    if not every.n:
        return "nobody asked for anything meanwhile"
    if not worst:
        return f"meanwhile none of {every.n:,} requests was slow or failed"
    whose = f"in {firms:,} firm{'' if firms == 1 else 's'}" if firms else "in no firm"
    return f"meanwhile {every.slow:,} of {every.n:,} requests were slow, {every.bad:,} failed, {whose}; most: {worst}"


def _worst(series: Iterable[Measured]) -> list[Reached]:
    """Return those with slow or failed requests, most of them first."""
    hit = [Reached(one.label, one.n, one.slow, one.bad) for one in series if one.slow or one.bad]
    return sorted(hit, key=lambda one: (-one.slow - one.failed, one.label))


def _next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)
