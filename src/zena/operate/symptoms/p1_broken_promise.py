"""P1: a promise is broken, or its budget is being spent too fast."""

from typing import Final

from zena.operate.slo.burn import LEAST_EVENTS, Status, statuses
from zena.operate.slo.objectives import BY_ID
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import Counted, counted
from zena.operate.symptoms.surroundings import recent_change
from zena.operate.telemetry.rollup import count_objectives

_HOUR: Final = 60
#: Objectives that another symptom watches for itself, the very same events.
_ELSEWHERE: Final = frozenset({"cache"})


async def watch(look: Look) -> list[Reading]:
    """Return a reading for each objective."""
    await count_objectives(look.conn, look.since(5), look.now)
    found = await statuses(look.conn, look.now, look.pace)
    return [_reading(one) for one in found if one.objective.id not in _ELSEWHERE]


def _reading(status: Status) -> Reading:
    rate, hour = status.burns["1h"], status.counts.get("1h")
    over = None if status.state == "no_data" else bool(status.alerts)
    alerts = ", ".join(f"{one.burn:g} times as fast as allowed over {one.window}" for one in status.alerts)
    left = "" if status.left is None else f"; {status.left:.0%} of the month's budget is left"
    thin = "" if hour and hour.total >= LEAST_EVENTS else "; few events in the last hour"
    state = {"exhausted": "the budget was spent before, and is not being spent now"}.get(status.state, status.state)
    says = f"{status.objective.title}: {f'spends its budget {alerts}' if alerts else state}{left}{thin}"
    return Reading(status.objective.id, over, not status.alerts, says, rate, 1.0)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Write the bill: which routes, statements or jobs spent the budget in the last hour, by failing or by slowness."""
    objective = BY_ID[reading.scope]

    def spent(one: Counted) -> int:
        return (one.bad if objective.bad_counts else 0) + (one.slow if objective.slow_counts else 0)

    series = sorted(await counted(look, objective.families, long=_HOUR), key=lambda one: (-spent(one), one.label))
    total = sum(spent(one) for one in series)
    bill = [
        Evidence("the bill of an hour", f"{spent(one) / total:.0%} {one.label}: {spent(one)} of {one.n}")
        for one in series[:5]
        if spent(one)
    ]
    if not bill:
        return ranked([await recent_change(look)], [("failures", "nothing bad in the last hour: it was spent before")])
    share = spent(series[0]) / total
    says = f"{share:.0%} of what was spent in an hour is that of {series[0].label}"
    failed = sum(one.bad for one in series) if objective.bad_counts else 0
    cause = Hypothesis("failures" if failed > total / 2 else "slowness", 0.4 + share / 2, says, bill, "zena slo check")
    return ranked([cause, await recent_change(look)])


CAUSES: Final = frozenset({"failures", "slowness"})
SYMPTOM: Final = Symptom("P1", "Promises broken", Severity.HIGH, watch, diagnose, CAUSES)
