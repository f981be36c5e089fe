"""X2: the data contradict themselves."""

import json
from typing import Any, Final

from zena.operate.integrity.posture import SWITCHES, wrong
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.surroundings import recent_change

_LAST: Final = """
SELECT finished_at, findings, report -> 'findings' AS found FROM ops.integrity_run ORDER BY finished_at DESC LIMIT 1
"""
_CAUSES: Final = {
    "page checksum": "bad_disk", "collation": "sort_order_changed", "index": "broken_index", "trigger": "keys_off",
    "constraint": "keys_off",
}  # fmt: skip
_NEXT: Final = {"broken_index": "zena runbook plan rebuild_index", "keys_off": "zena runbook plan restore_keys"}
#: Switches of the server that are looked at now; rows are looked at each night.
_WATCHED: Final = tuple(switch for switch in SWITCHES if switch.name in _CAUSES)


async def watch(look: Look) -> list[Reading]:
    """Return one reading: what the last look at the rows found, and the server's switches as they are now."""
    found = [[one.subject, one.count, one.advice] for switch in _WATCHED for one in await wrong(look.conn, switch)]
    last = await look.conn.fetchrow(_LAST)
    rows = _rows(last["found"]) if last is not None and last["findings"] else []
    number = last["findings"] if last is not None else 0
    says = "; ".join(f"{name} ({count})" for name, count, _ in [*found, *rows][:5]) or "nothing contradicts itself"
    if last is None:
        says += "; the rows were never looked at: `zena db check-integrity`"
    facts = {"switches": found, "rows": rows}
    return [Reading("", bool(found or number), not found and not number, says, float(number + len(found)), 0.0, facts)]


def _rows(found: Any) -> list[list[Any]]:
    told = json.loads(found) if isinstance(found, str) else found
    return [[f"{one['check']} {one['subject']}", one["count"], one["advice"]] for one in told[:20]]


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Name what is broken: the disk, the server's switches, or rows."""
    causes: list[Hypothesis | None] = [_switched(*switch) for switch in reading.facts["switches"]]
    rows = reading.facts["rows"]
    if rows:
        told = [Evidence("the last look", f"{name}: {count}") for name, count, _ in rows[:5]]
        says = f"{sum(count for _, count, _ in rows)} rows or files contradict others"
        causes.append(Hypothesis("broken_rows", 0.85, says, told, "zena db check-integrity --repair"))
    return ranked([*causes, await recent_change(look)])


def _switched(name: str, count: int, advice: str) -> Hypothesis:
    cause, told = _CAUSES[name], [Evidence("catalogue", f"{name}: {count}")]
    return Hypothesis(cause, 0.9, advice, told, _NEXT.get(cause, "zena db check-integrity"))


CAUSES: Final = frozenset({"broken_rows", *_CAUSES.values()})
SYMPTOM: Final = Symptom("X2", "Data corruption", Severity.CRITICAL, watch, diagnose, CAUSES)
