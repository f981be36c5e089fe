"""D2: the dashboard shows what is not so.

Two steps lead from the rows to what is seen, and each is watched: processes compute found values again and count what
differs (insight/shadow.py), and the counters of firms in which people work are compared with their rows here.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from zena.operate.integrity.invariants import broken
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import SHORT, Counted, counted
from zena.operate.symptoms.surroundings import recent_change
from zena.operate.telemetry.shadow import COMPARED, DIFFERS
from zena.work.facade import COUNTERS

#: Firms whose counters are compared in one look, and how long one of them may take: it is nightly work otherwise.
FIRMS: Final = 2
_PATIENCE: Final = "SET LOCAL statement_timeout = '250ms'"
_AT_WORK: Final = """
SELECT s.label FROM ops.point p JOIN ops.series s ON s.id = p.series_id
 WHERE s.metric = 'tenant' AND p.minute >= $1 AND p.minute <= $2 AND s.label ~ '^[0-9a-f-]{36}$'
 GROUP BY s.label ORDER BY random() LIMIT $3
"""
#: Parts of the label under which a process counts a wrong value: telemetry/shadow.py puts them together.
_WORDS: Final = 4
_OPEN: Final = "SELECT scope FROM ops.symptom WHERE symptom = 'D2' AND scope LIKE 'firm %' ORDER BY scope LIMIT 10"
_SAYS: Final = {
    "invalidation_missing": "rows were changed without an event: by hand, or by code that records none",
    "wrong_value": "what lies in the cache is not what was computed: something else writes there",
    "clock": "a value outlived its time: the clock of a process, or of the database, is wrong",
}
_NEXT: Final = {
    "invalidation_missing": "zena runbook plan clear_family",
    "wrong_value": "zena runbook plan clear_family",
    "clock": "zena status",
}


class Differs(NamedTuple):
    """Values of one firm's family that were not what the rows say, in the last minutes."""

    family: str
    cause: str
    firm: str
    fields: str
    times: int


def told(series: Sequence[Counted]) -> list[Differs]:
    """Return what processes told of wrong values lately."""
    parts = [(one.label.split(":"), one.near_n) for one in series if one.metric == DIFFERS and one.near_n]
    whole = [(words, times) for words, times in parts if len(words) == _WORDS]  # "other" is of none
    return [Differs(family, cause, firm, fields, times) for (family, cause, firm, fields), times in whole]


async def watch(look: Look) -> list[Reading]:
    """Return a reading for each family that was compared, and one for each firm whose counters were."""
    series = await counted(look, [COMPARED, DIFFERS])
    differs = told(series)
    families = [_family(one, differs) for one in series if one.metric == COMPARED]
    return [*families, *(await _firms(look))]


def _family(one: Counted, differs: Sequence[Differs]) -> Reading:
    """One wrong value is one too many: both sides were read in the same transaction, under the same version."""
    says = f"{one.near_bad} of {one.near_n} found values in {SHORT} minutes were not what the rows say"
    # A list, so that several families at once keep each its own.
    facts = {"differs": [list(other) for other in differs if other.family == one.label]}
    over = None if not one.near_n else one.near_bad > 0
    return Reading(one.label, over, not one.near_bad, says, float(one.near_bad), 0.0, facts)


async def _firms(look: Look) -> list[Reading]:
    rows = await look.conn.fetch(_AT_WORK, look.since(SHORT), look.now, FIRMS)
    known = [row["scope"].removeprefix("firm ") for row in await look.conn.fetch(_OPEN)]
    return [await _counters(look, firm) for firm in dict.fromkeys([*known, *(row["label"] for row in rows)])]


async def _counters(look: Look, firm: str) -> Reading:
    """Compare each counter with the rows, each in a statement of its own, that is at one moment."""
    wrong: list[str] = []
    try:
        async with look.conn.transaction(readonly=True):
            await look.conn.execute(_PATIENCE)
            for check in COUNTERS:
                wrong += [f"{check.name} of {one.count}" for one in await broken(look.conn, check, UUID(firm))]
    except asyncpg.QueryCanceledError:
        says = "it has too many rows to be compared in passing: `zena db check-integrity`"
        return Reading(f"firm {firm}", over=None, calm=False, says=says)
    says = f"counters that are not what the rows say: {', '.join(wrong)}" if wrong else "the counters are right"
    facts = {"counters": [[firm, *wrong]] if wrong else []}
    return Reading(f"firm {firm}", bool(wrong), not wrong, says, float(len(wrong)), 0.0, facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Name what differs: families, fields and firms by their ids, never what a firm wrote."""
    facts: dict[str, Any] = reading.facts
    causes: list[Hypothesis | None] = [
        Hypothesis(
            "wrong_counters", 0.95, f"firm {firm}: {', '.join(wrong)}",
            [Evidence("rows counted again", ", ".join(wrong), {"firm": firm})], "zena db check-integrity --repair",
        )
        for firm, *wrong in facts.get("counters", [])
    ]  # fmt: skip
    by_cause: dict[str, list[Evidence]] = {}
    for one in (Differs(*words) for words in facts.get("differs", [])):
        if one.cause in _SAYS:
            says = f"{one.family} of firm {one.firm}, {one.times} times: {one.fields or 'too old'}"
            told_of = Evidence("found and computed again", says, {"firm": one.firm})
            by_cause.setdefault(one.cause, []).append(told_of)
    causes += [Hypothesis(cause, 0.9, _SAYS[cause], told[:3], _NEXT[cause]) for cause, told in sorted(by_cause.items())]
    return ranked([*causes, await recent_change(look)])


CAUSES: Final = frozenset({"wrong_counters", *_SAYS})
SYMPTOM: Final = Symptom(
    "D2", "Dashboard shows incorrect data", Severity.CRITICAL, watch, diagnose, CAUSES, opens_after=1
)
