"""C1: fewer than four of five look-ups are answered from the cache."""

from collections import defaultdict
from typing import Final

from zena.kit.cache.stats import Reason
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import Share, counted
from zena.operate.symptoms.surroundings import recent_change

LIMIT: Final = 0.20  # of misses
_LONG, _SHORT = 15, 5
_LEAST: Final = 200
#: What each reason of a miss means, and where to look.
_MEANS: Final = {
    Reason.COLD: ("new_keys", "most keys are asked for once: they differ by more than what the value depends on"),
    Reason.EXPIRED: ("short_life", "values end before they are asked for again: at rate r, 80% need a life of 4/r"),
    Reason.EVICTED: ("too_small", "the cache of a process is full and drops what is still needed"),
    Reason.UNKNOWN: ("gone_from_store", "values are gone from the shared cache: it was cleared, or is short of memory"),
    Reason.BYPASS: ("bypassed", "callers ask for fresh values"),
    Reason.ERROR: ("failing", "the shared cache fails: this is C2, not a matter of hit rates"),
}
_LENGTHEN: Final = "zena runbook plan lengthen_life"
_Reasons = dict[str, dict[str, int]]


async def watch(look: Look) -> list[Reading]:
    """Return a reading for each family. A value that an event made worthless is not the cache's fault."""
    reasons: _Reasons = defaultdict(dict)
    changed: dict[str, tuple[int, int]] = {}
    series = await counted(look, ["cache", "cache.miss"], long=_LONG, short=_SHORT)
    for one in series:
        family, _, reason = one.label.rpartition(":")
        if one.metric == "cache.miss" and reason == Reason.VERSION_CHANGED:
            changed[family] = (one.n, one.near_n)
        elif one.metric == "cache.miss" and one.near_n:  # what was the reason before may be over
            reasons[family][reason] = one.near_n
    return [
        _reading(one.label, _misses(one.bad, one.n, one.near_bad, one.near_n, changed.get(one.label, (0, 0))), reasons)
        for one in series
        if one.metric == "cache"
    ]


def _misses(bad: int, total: int, near_bad: int, near_total: int, changed: tuple[int, int]) -> Share:
    far, near = changed
    return Share(max(0, bad - far), total - far, max(0, near_bad - near), near_total - near)


def _reading(family: str, share: Share, reasons: _Reasons) -> Reading:
    over = share.over(LIMIT, least=_LEAST) if share.total >= _LEAST else None
    says = f"{1 - share.far:.0%} of {share.total} look-ups in {_LONG} minutes were hits; the limit is {1 - LIMIT:.0%}"
    facts = {"reasons": reasons.get(family, {})}
    return Reading(family, over, share.calm(LIMIT), says, share.far, LIMIT, facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """The reason of most misses decides between remedies that exclude each other."""
    reasons: dict[str, int] = reading.facts["reasons"]
    total = sum(reasons.values()) or 1
    causes: list[Hypothesis | None] = [
        Hypothesis(
            _MEANS[Reason(reason)][0],
            round(0.2 + 0.7 * number / total, 3),
            f"{number / total:.0%} of the misses are '{reason}': {_MEANS[Reason(reason)][1]}",
            [Evidence("misses by reason", ", ".join(f"{name} {n}" for name, n in sorted(reasons.items())), reasons)],
            _LENGTHEN if reason == Reason.EXPIRED else f"zena cache keys '{reading.scope}:*'",
        )
        for reason, number in sorted(reasons.items(), key=lambda item: -item[1])
        if number / total >= 0.2  # noqa: PLR2004 - less than a fifth explains little
    ]
    ruled_out = [(_MEANS[reason][0], "no such miss") for reason in _MEANS if not reasons.get(reason)]
    return ranked([*causes, await recent_change(look)], ruled_out)


CAUSES: Final = frozenset(cause for cause, _ in _MEANS.values())
SYMPTOM: Final = Symptom("C1", "Cache hit rate low", Severity.MEDIUM, watch, diagnose, CAUSES)
