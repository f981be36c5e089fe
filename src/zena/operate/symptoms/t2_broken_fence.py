"""T2: what holds firms apart is not as it was made, gave way when it was tried, or somebody searches other firms."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from zena.operate.crossings.checking import GRAVE
from zena.operate.crossings.noting import AGAIN
from zena.operate.integrity.posture import FENCES, wrong
from zena.operate.isolation.store import doubt, last
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.surroundings import recent_change

#: What each fence that can fall is called as a cause.
_CAUSES: Final = {
    "row security": "row_security_off", "policy": "policy_changed", "policy of people": "policy_changed",
    "open policy": "open_policy", "bypassing role": "role_bypasses", "primary key": "key_changed",
    "foreign key": "key_changed", "view": "open_view", "definer path": "open_function",
    "definer function": "open_function", "tenant column": "grant_changed",
    "right too many": "grant_changed",
}  # fmt: skip
#: The scope of what the prober found, and so many of its findings are named.
PROBER: Final = "prober"
_SHOWN: Final = 5
_WINDOW: Final = AGAIN.total_seconds() / 60
_ATTEMPTS: Final = """
SELECT tenant, person, count(DISTINCT lower(reference)) AS things, count(DISTINCT owner) AS firms,
       count(DISTINCT way) AS ways, max(at) AS last_at
  FROM ops.crossing WHERE at > $1 AND at <= $2 GROUP BY tenant, person ORDER BY things DESC, person, tenant LIMIT 100
"""


async def watch(look: Look) -> list[Reading]:
    """Return readings of the fences, of which one that fell is enough; of the prober; of each person with attempts."""
    attempts = await look.conn.fetch(_ATTEMPTS, look.since(_WINDOW), look.now)
    fences, tried = await _fences(look), await _tried(look)
    if tried.over is None:  # fences that stand are half of it
        fences = replace(fences, says=f"{fences.says}; no data of the prober: {tried.says}")
    return [fences, tried, *map(_searching, attempts)]


async def _tried(look: Look) -> Reading:
    """Return what the last round found that tried one firm on another."""
    there = await last(look.conn)
    if there is None:
        return Reading(PROBER, None, calm=False, says="one firm was never tried on another")
    leaks = [[one["check"], one["subject"], one["advice"]] for one in there["findings"]]
    says = f"{there['routes']} routes tried at {there['at']:%Y-%m-%d %H:%M}"
    facts = {"leaks": leaks, "at": there["at"].isoformat()}
    why_not = doubt(there, look.now)
    if leaks:
        told = "; ".join(f"{check}: {subject}" for check, subject, _ in leaks[:_SHOWN])
        return Reading(PROBER, over=True, calm=False, says=f"{says}: {told}", value=float(len(leaks)), facts=facts)
    if why_not:
        return Reading(PROBER, None, calm=False, says=f"{says}: {why_not}", facts=facts)
    says += ": nothing of one firm is reached from another"
    return Reading(PROBER, over=False, calm=True, says=says, value=0.0, limit=0.0)


def _searching(row: Any) -> Reading:
    """One old link is nothing; from the fifth different thing within ten minutes on, somebody searches."""
    things = row["things"]
    says = (
        f"asked for {things} things of {row['firms']} other firms in {_WINDOW:g} minutes; each answer was a plain 404"
    )
    facts = {"things": things, "firms": row["firms"], "sessions": row["ways"], "last_at": row["last_at"].isoformat()}
    scope = f"person {row['person']} of {row['tenant']}"
    return Reading(scope, things >= GRAVE, things < GRAVE, says, float(things), float(GRAVE), facts, Severity.HIGH)


async def _fences(look: Look) -> Reading:
    fallen = [one for fence in FENCES for one in await wrong(look.conn, fence)]
    says = f"all {len(FENCES)} fences stand"
    if fallen:
        says = "; ".join(f"{one.subject}: {', '.join(one.sample)}" for one in fallen)
    facts = {"fallen": [[one.subject, one.count, list(one.sample), one.advice] for one in fallen]}
    return Reading("", bool(fallen), not fallen, says, float(len(fallen)), 0.0, facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Name each fence that fell and what puts it up again, what gave way, or who searches."""
    leaks, fallen = (reading.facts.get(name) for name in ("leaks", "fallen"))
    if leaks is None and fallen is None:
        told = [Evidence("attempts", reading.says, reading.facts)]
        says = f"{reading.scope}: {reading.says}"
        return ranked(
            [Hypothesis("probing", 0.9, says, told, "zena user deactivate PERSON"), await recent_change(look)]
        )
    causes = [*(_fallen(*one) for one in fallen or ()), *(_leak(*one) for one in (leaks or ())[:_SHOWN])]
    return ranked([*causes, await recent_change(look)])


def _fallen(name: str, count: int, sample: Sequence[str], advice: str) -> Hypothesis:
    says = f"{name}: {', '.join(sample)}{' ...' if count > len(sample) else ''}"
    return Hypothesis(
        _CAUSES[name], 0.95, says, [Evidence("catalogue", advice, {"count": count})], "zena tenant verify-isolation"
    )


def _leak(check: str, subject: str, advice: str) -> Hypothesis:
    told = [Evidence("one firm tried on another", advice or "mend it, then try again")]
    return Hypothesis("leak", 0.95, f"{check}: {subject}", told, "zena tenant verify-isolation")


CAUSES: Final = frozenset({*_CAUSES.values(), "leak", "probing"})
#: A fence that says something else may hide rows too.
SYMPTOM: Final = Symptom(
    "T2", "Cross-tenant access", Severity.CRITICAL, watch, diagnose, CAUSES, opens_after=1, folds=frozenset({"T1"})
)
