"""A1: a route of the API takes more than 300 ms for more than one request in twenty."""

from typing import Final

from zena.operate.symptoms.contract import Diagnosis, Look, Reading, Severity, Symptom
from zena.operate.symptoms.d1_slow_dashboard import slow_reading
from zena.operate.symptoms.figures import counted, slow_share
from zena.operate.symptoms.slow_requests import CAUSES, why_slow
from zena.operate.telemetry.limits import API


async def watch(look: Look) -> list[Reading]:
    """Return a reading for each route."""
    return [
        slow_reading(one.label, slow_share([one]), API, {"routes": [one.label]})
        for one in await counted(look, ["http.api"])
    ]


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    return await why_slow(look, reading.facts["routes"], API)


SYMPTOM: Final = Symptom("A1", "API slow", Severity.HIGH, watch, diagnose, CAUSES, folds=frozenset({"P1"}))
