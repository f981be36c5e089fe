"""D1: the dashboard takes more than 500 ms for more than one request in twenty."""

from typing import Final

from zena.operate.symptoms.contract import Diagnosis, Look, Reading, Severity, Symptom
from zena.operate.symptoms.figures import LONG, MINUTES, SHORT, Share, counted, slow_share
from zena.operate.symptoms.slow_requests import CAUSES, why_slow
from zena.operate.telemetry.limits import DASHBOARD

#: "p95 above 500 ms" is exactly "more than 5% take longer than 500 ms".
LIMIT: Final = 0.05
#: The way for what is bad at once: every fourth request within the short window.
_FAST, _LEAST = 0.25, 20


async def watch(look: Look) -> list[Reading]:
    """Return one reading for the dashboards of all firms together."""
    series = await counted(look, ["http.dashboard"])
    return [slow_reading("", slow_share(series), DASHBOARD, {"routes": [one.label for one in series]})]


def slow_reading(scope: str, share: Share, slow_after: float, facts: dict[str, object]) -> Reading:
    """Say how many of some requests were slow, and whether that is too many."""
    over = share.over(LIMIT)
    if share.near_total >= _LEAST and share.near > _FAST and share.minutes >= MINUTES:
        over = True
    says = (
        f"in {SHORT} minutes {share.near_bad} of {share.near_total} took over {slow_after:g} ms,"
        f" in {LONG} minutes {share.bad} of {share.total} ({share.far:.1%}); the limit is {LIMIT:.0%}"
    )
    return Reading(scope, over, share.calm(LIMIT), says if share.total else "no requests", share.far, LIMIT, facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    return await why_slow(look, reading.facts["routes"], DASHBOARD)


SYMPTOM: Final = Symptom(
    "D1", "Dashboard loads slowly", Severity.HIGH, watch, diagnose, CAUSES, folds=frozenset({"P1"})
)
