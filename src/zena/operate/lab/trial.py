"""One fault tried: put in while people work, found or not, mended or not, taken away, found gone or not."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from zena.operate.lab.contract import EVERYDAY, Fault, Mends
from zena.operate.lab.place import Place
from zena.operate.lab.traffic import People
from zena.operate.remedies.catalogue import proposed
from zena.operate.remedies.runs import HELPED
from zena.operate.slo.burn import statuses
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.watch.now import cost

#: Seconds within which a fault has to be found, and after its end no longer be.
FIND, REST = 60.0, 120.0
#: So long a sham is looked at, and people work before a fault, seconds.
SHAM, WARM = 15.0, 4.0
_POLL: Final = 0.25
#: A plan that is refused, or has moved before it is applied, says "plan again": whoever is told so does. So does who
#: hears that it is not needed, and sees that it is: a lock that is let go now and then is not held just now. Seconds.
_TRIES, _PAUSE = 5, 2.0
_AGAIN: Final = frozenset({"not planned", "not applied", "not needed"})
_OPENED: Final = """
SELECT id, symptom, scope, cause, parent_id, opened_at, closed_at FROM ops.incident WHERE opened_at >= $1 ORDER BY id
"""
_OPEN: Final = "SELECT count(*) FROM ops.incident WHERE closed_at IS NULL AND symptom <> ALL ($1)"
_CLOSED: Final = "SELECT closed_at FROM ops.incident WHERE id = $1"
#: A broken promise is a matter of hours and days, in a lab too: it follows from any fault, and outlives it. It is kept
#: again once its budget is spent no faster than it may, which the short window of the alarms tells.
_SLOW: Final = ["P1"]
_KEPT, _KEPT_BELOW = "5m", 1.0
#: Who mends without being asked.
_SUPERVISOR: Final = "supervisor"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a fault. Seconds are None where it did not happen in time; `others` opened without a right to.

    `remedy` is the mildest that ends the cause, or that of what it follows from, applied through the commands; or the
    supervisor, who was not asked. `verdict` is what it came to.
    """

    fault: str
    symptom: str
    cause: str
    found: str
    named: str
    detect: float | None
    remedy: str
    verdict: str
    recover: float | None
    others: Sequence[str]

    @property
    def well(self) -> bool:
        """Whether the symptom was found with its cause, mended and closed again; of a sham, that nothing was opened."""
        if not self.symptom or self.others:
            return not self.others
        named = (self.found, self.named) == (self.symptom, self.cause)
        return named and self.recover is not None and (not self.remedy or self.verdict in HELPED)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"well": self.well}


async def tried(fault: Fault, place: Place, people: People, sham: float = SHAM) -> Outcome:
    """Try one fault from a calm installation to a calm one. One that must open nothing is looked at for `sham`."""
    async with people.busy(EVERYDAY):
        await asyncio.sleep(WARM)
    began: datetime = await place.value("SELECT now()")
    since = time.monotonic()
    async with people.busy(fault.traffic), fault.broken(place):
        found = await _waited(fault, place, began, FIND if fault.symptom else sham)
        detect = time.monotonic() - since
        during = await _mended(fault, place, found, began) if found and fault.mends is not Mends.AFTERWARDS else None
    since = time.monotonic()
    async with people.busy((*EVERYDAY, *fault.traffic)):  # what nobody asks for again is not known to be well
        after = await _mended(fault, place, found, began) if found and fault.mends is Mends.AFTERWARDS else None
        if fault.heal is not None:
            await fault.heal(place)
        calm = await _rested(place, found)
    remedy, verdict = during or after or ("", "")
    opened = await _opened(place, began)
    return Outcome(
        fault=fault.id,
        symptom=fault.symptom,
        cause=fault.cause,
        found=found["symptom"] if found else "",
        named=(found["cause"] or "") if found else "",
        detect=round(detect, 1) if found else None,
        remedy=remedy,
        verdict=verdict,
        recover=round(time.monotonic() - since, 1) if calm else None,
        others=_others(fault, opened),
    )


async def watching(place: Place) -> float:
    """Return the share of one core of the database that looking at every symptom takes at pace 1."""
    async with place.session(place.urls.ops) as conn:
        return float((await cost(conn, 1.0))["share"])


async def _waited(fault: Fault, place: Place, began: datetime, seconds: float) -> Mapping[str, Any] | None:
    """Return the incident that names the fault; the symptom's first if none does; None when its time is over."""
    end = time.monotonic() + seconds
    first: Mapping[str, Any] | None = None
    while time.monotonic() < end:
        for row in await _opened(place, began):
            if row["symptom"] == fault.symptom and row["cause"] is not None:
                if row["cause"] == fault.cause:
                    return row
                first = first or row
        await asyncio.sleep(_POLL)
    return first


async def _mended(fault: Fault, place: Place, incident: Mapping[str, Any], began: datetime) -> tuple[str, str]:
    """Have the incident mended; return by what, and what came of it. Neither where nothing is made for its cause."""
    if fault.mends is Mends.UNASKED:
        return _SUPERVISOR, await _mended_unasked(place, incident)
    for again in range(_TRIES if incident["symptom"] in _SLOW else 1):
        await asyncio.sleep(_PAUSE if again else 0)  # what the bill names is explained a moment later
        for one in (incident, *(row for row in await _opened(place, began) if _above(row, incident))):
            remedy = next((way.id for way in proposed(one["symptom"], one["cause"]) if not way.contains), "")
            if remedy:
                return remedy, await _insisted(place, remedy, ("--incident", str(one["id"])))
    return "", ""


def _above(row: Mapping[str, Any], incident: Mapping[str, Any]) -> bool:
    """Tell whether an incident may follow from another one: the bill of a broken promise is paid there."""
    return row["closed_at"] is None and incident["symptom"] in BY_ID[row["symptom"]].folds


async def _mended_unasked(place: Place, incident: Mapping[str, Any]) -> str:
    end = time.monotonic() + FIND
    while time.monotonic() < end:
        if await place.value(_CLOSED, incident["id"]) is not None:
            return "fixed"
        await asyncio.sleep(_POLL)
    return "no_effect"


async def _insisted(place: Place, remedy: str, incident: tuple[str, str]) -> str:
    verdict = "not planned"
    for _ in range(_TRIES):
        verdict = await _applied(place, remedy, incident)
        if verdict not in _AGAIN:
            break
        await asyncio.sleep(_PAUSE)
    return verdict


async def _applied(place: Place, remedy: str, incident: tuple[str, str]) -> str:
    _, plan = await place.command("runbook", "plan", remedy, *incident)
    if "hash" not in plan:
        return "not planned" if plan.get("needed", True) else "not needed"
    sure = ("--even-so", "--confirm", remedy)
    _, done = await place.command("runbook", "apply", remedy, "--plan", plan["hash"], *incident, *sure)
    return str(done.get("verdict", "not applied"))


async def _rested(place: Place, incident: Mapping[str, Any] | None) -> bool:
    """Wait until nothing is open any more, and a promise is kept again; False when that takes too long."""
    end = time.monotonic() + REST
    broken = incident is not None and incident["symptom"] in _SLOW
    while await place.value(_OPEN, _SLOW) or (broken and incident and not await _kept(place, incident["scope"])):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(_POLL)
    return True


async def _kept(place: Place, objective: str) -> bool:
    async with place.session(place.urls.ops) as conn:
        now = await conn.fetchval("SELECT now()")
        [status] = [one for one in await statuses(conn, now, place.pace) if one.objective.id == objective]
    return (status.burns[_KEPT] or 0.0) < _KEPT_BELOW


async def _opened(place: Place, since: datetime) -> list[Mapping[str, Any]]:
    async with place.session(place.urls.superuser) as conn:
        return list(await conn.fetch(_OPENED, since))


def _others(fault: Fault, opened: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what was opened beside the fault's symptom and has no right to be: neither declared nor a consequence."""
    own = {fault.symptom, *fault.also, *_SLOW}
    own |= {name for one in own if one in BY_ID for name in BY_ID[one].folds}
    return sorted({f"{row['symptom']} {row['cause'] or ''}".strip() for row in opened if row["symptom"] not in own})
