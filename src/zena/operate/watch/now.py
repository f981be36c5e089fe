"""Every symptom looked at once, now, with nothing remembered: what `zena doctor` tells."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from zena.kit.db import Raw
from zena.operate.symptoms.contract import Diagnosis, Look, Reading, Symptom
from zena.operate.watch.rounds import PATIENCE, gather
from zena.operate.watch.states import EVERY

Verdict = Literal["ok", "wrong", "no data", "failed"]

#: A detector that has not looked for so many rounds has fallen silent.
SILENT: Final = 3
_DETECTORS: Final = """
SELECT symptom, looked_at, error,
       (SELECT count(*) FROM ops.incident i WHERE i.symptom = d.symptom AND i.closed_at IS NULL) AS open
  FROM ops.detector d ORDER BY symptom
"""
_SUSPECTS: Final = "SELECT DISTINCT symptom FROM ops.symptom WHERE state = 'suspect' ORDER BY symptom"
_COST: Final = """
SELECT coalesce(sum(took_ms), 0)::float8 AS took_ms, coalesce(sum(database_ms), 0)::float8 AS database_ms
  FROM ops.detector WHERE looked_at > now() - interval '1 hour'
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one symptom says now. `wrong` are readings over their limit, each with what is behind it."""

    symptom: Symptom
    verdict: Verdict
    says: str
    readings: Sequence[Reading] = ()
    wrong: Sequence[tuple[Reading, Diagnosis]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "symptom": self.symptom.id,
            "title": self.symptom.title,
            "severity": str(self.symptom.severity),
            "verdict": self.verdict,
            "says": self.says,
            "readings": [asdict(one) for one in self.readings],
            "wrong": [{"scope": one.scope, "says": one.says} | asdict(why) for one, why in self.wrong],
        }


async def see(look: Look, symptom: Symptom) -> Seen:
    """Look at one symptom and, where it is over its limit, find out why."""
    try:
        async with asyncio.timeout(PATIENCE):
            readings = gather(await symptom.watch(look), ())
            wrong = [(one, await symptom.diagnose(look, one)) for one in readings if one.over]
    except Exception as error:  # noqa: BLE001 - whatever it raises, the others are still to be looked at
        return Seen(symptom, "failed", f"it could not be looked at: {type(error).__name__}")
    if wrong:
        return Seen(symptom, "wrong", wrong[0][0].says, readings, wrong)
    told = [one for one in readings if one.over is not None]
    if not told:
        return Seen(symptom, "no data", readings[0].says if readings else "nothing of it was counted", readings)
    worst = max(told, key=lambda one: (one.value or 0) / (one.limit or 1))
    return Seen(symptom, "ok", f"{worst.scope}: {worst.says}" if worst.scope else worst.says, readings)


@dataclass(frozen=True, slots=True)
class Detector:
    """Whether one symptom is being watched, and what is open of it. `trouble` is empty while it is looked at."""

    symptom: Symptom
    looked_at: datetime | None
    trouble: str
    open: int = 0


async def detectors(conn: Raw, symptoms: Sequence[Symptom], now: datetime, pace: float) -> list[Detector]:
    """Return how each symptom is watched: not having looked, or having failed, is not health."""
    rows = {row["symptom"]: row for row in await conn.fetch(_DETECTORS)}
    return [_detector(one, rows.get(one.id), now, pace) for one in symptoms]


def _detector(symptom: Symptom, row: Any, now: datetime, pace: float) -> Detector:
    if row is None:
        return Detector(symptom, None, "never looked at; does a worker run?")
    age = (now - row["looked_at"]).total_seconds()
    trouble = f"the last look failed with {row['error']}" if row["error"] else ""
    if age > EVERY * SILENT * pace:
        trouble = f"not looked at for {age:.0f} s; does a worker run?"
    return Detector(symptom, row["looked_at"], trouble, row["open"])


async def suspects(conn: Raw) -> frozenset[str]:
    """Return the symptoms that were over their limit at the last look, and not yet often enough to open."""
    return frozenset(row["symptom"] for row in await conn.fetch(_SUSPECTS))


async def cost(conn: Raw, pace: float) -> dict[str, float]:
    """Return what a round costs: milliseconds in all, of the database, and the database's as a share of one core."""
    row = await conn.fetchrow(_COST)
    share = row["database_ms"] / (EVERY * pace * 1000)
    return {"took_ms": round(row["took_ms"], 1), "database_ms": round(row["database_ms"], 1), "share": round(share, 5)}


async def silent(conn: Raw, symptoms: Sequence[Symptom], now: datetime, pace: float) -> list[str]:
    """Return what is wrong with those who watch, symptoms with the same trouble together."""
    found: dict[str, list[str]] = {}
    for one in await detectors(conn, symptoms, now, pace):
        if one.trouble:
            found.setdefault(one.trouble, []).append(one.symptom.id)
    return [f"{', '.join(names)}: {trouble}" for trouble, names in found.items()]
