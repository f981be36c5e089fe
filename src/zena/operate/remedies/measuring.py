"""What came of a remedy: the symptom's own signal over what was counted since, and whether the cause is gone."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from zena.operate.remedies.contract import Planned, Target, Verdict
from zena.operate.symptoms import a2_errors
from zena.operate.symptoms.contract import Look, Reading
from zena.operate.watch.states import EVERY

#: So long it is measured at most, minutes; so many looks in a row decide.
_PATIENCE: Final = 4
_LOOKS: Final = 2
#: From a tenth above what it was it is worse, from a fifth below better.
_WORSE, _BETTER = 1.1, 0.8
#: A signal that lists only what went wrong is believed to be silent once so much was counted of it.
_LEAST: Final = 20
_COUNTED: Final = """
SELECT coalesce(sum(p.n), 0)::bigint FROM ops.point p JOIN ops.series s ON s.id = p.series_id
 WHERE s.label = $1 AND p.minute >= $2 AND p.minute <= $3
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict, with what it rests on."""

    verdict: Verdict
    says: str


@dataclass(frozen=True, slots=True)
class Before:
    """How it was: the signal's value, and whether requests failed above their limit, which no remedy may cause."""

    value: float | None
    failing: bool

    @staticmethod
    async def of(look: Look, target: Target) -> "Before":
        return Before(target.reading.value, await _failing(look))

    def worse(self, reading: Reading | None) -> bool:
        return bool(
            reading
            and reading.over
            and reading.value is not None
            and self.value
            and reading.value > self.value * _WORSE
        )


async def measured(look: Callable[[datetime | None], Look], what: Planned, before: Before) -> Found:
    """Look again and again at what is counted from now on, until two looks agree or patience ends."""
    first, remedy, acts_on = look(None), what.remedy, what.plan.acts_on
    fresh, until = first.now, time.monotonic() + first.minutes(_PATIENCE).total_seconds()
    calm = worse = 0
    while True:
        now = look(fresh)
        gone, reading = await remedy.gone(now, acts_on), await _read(now, what.target)
        if gone and remedy.contains:
            return Found("improved", "the harm is kept in; who mends it reads on")
        failing = await _failing(now) and not before.failing
        calm = calm + 1 if gone and reading and reading.calm and reading.over is False else 0
        worse = worse + 1 if failing or (not gone and before.worse(reading)) else 0
        if worse >= _LOOKS:
            return Found("worse", "requests fail now that did not before" if failing else _says(reading))
        if calm >= _LOOKS:
            return Found("fixed", _says(reading))
        if time.monotonic() >= until:
            return _at_last(reading, before, gone=gone)
        await asyncio.sleep(EVERY * now.pace)


def _at_last(reading: Reading | None, before: Before, *, gone: bool) -> Found:
    """Judge without two looks that agree."""
    over = reading.over if reading else None
    if over and reading and reading.value is not None and before.value and reading.value < before.value * _BETTER:
        return Found("improved", _says(reading))
    if over or (over is None and not gone):
        return Found("no_effect", _says(reading) if reading else "the cause is still there")
    if gone and over is False:
        return Found("improved", f"the cause is gone, the signal not yet calm: {_says(reading)}")
    if gone:
        return Found("improved", "the cause is gone; too little was counted since to say more")
    return Found("inconclusive", f"the signal is calmer, the cause still there: {_says(reading)}")


async def _read(look: Look, target: Target) -> Reading | None:
    """Return the scope's reading since; one that is not listed is calm if enough was counted of it, else None."""
    readings = await target.symptom.watch(look)
    scopes = target.reading.facts.get("scopes", [target.scope]) if target.scope == "several" else [target.scope]
    mine = [one for one in readings if one.scope in scopes]
    if mine:
        return max(mine, key=lambda one: (bool(one.over), one.over is None, one.value or 0))
    number = await look.conn.fetchval(_COUNTED, target.scope, look.fresh, look.now)
    if number < _LEAST:
        return None
    return Reading(target.scope, over=False, calm=True, says=f"{number} since, and none of them shows it", value=0.0)


async def _failing(look: Look) -> bool:
    return any(one.over for one in await a2_errors.watch(look))


def _says(reading: Reading | None) -> str:
    """Say what was counted since the remedy, and nothing of before."""
    return f"since it was applied: {reading.says}" if reading else "nothing of it was counted"
