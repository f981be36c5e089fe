"""T2: what holds firms apart is not as it was made."""

from typing import Final

from zena.operate.integrity.posture import FENCES, wrong
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.surroundings import recent_change

#: What each fence that can fall is called as a cause.
_CAUSES: Final = {
    "row security": "row_security_off", "policy": "policy_changed", "policy of people": "policy_changed",
    "open policy": "open_policy", "bypassing role": "role_bypasses", "primary key": "key_changed",
    "foreign key": "key_changed", "view": "open_view", "definer path": "open_function",
    "definer function": "open_function", "tenant column": "grant_changed",
}  # fmt: skip


async def watch(look: Look) -> list[Reading]:
    """Return one reading: every fence is looked at, and one that fell is enough."""
    fallen = [one for fence in FENCES for one in await wrong(look.conn, fence)]
    says = f"all {len(FENCES)} fences stand"
    if fallen:
        says = "; ".join(f"{one.subject}: {', '.join(one.sample)}" for one in fallen)
    facts = {"fallen": [[one.subject, one.count, list(one.sample), one.advice] for one in fallen]}
    return [Reading("", bool(fallen), not fallen, says, float(len(fallen)), 0.0, facts)]


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Name each fence that fell, and what puts it up again."""
    causes: list[Hypothesis | None] = [
        Hypothesis(
            _CAUSES[name], 0.95, f"{name}: {', '.join(sample)}{' ...' if count > len(sample) else ''}",
            [Evidence("catalogue", advice, {"count": count})], "zena tenant verify-isolation",
        )
        for name, count, sample, advice in reading.facts["fallen"]
    ]  # fmt: skip
    return ranked([*causes, await recent_change(look)])


CAUSES: Final = frozenset(_CAUSES.values())
SYMPTOM: Final = Symptom("T2", "Cross-tenant access", Severity.CRITICAL, watch, diagnose, CAUSES, opens_after=1)
