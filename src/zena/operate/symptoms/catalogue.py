"""Every symptom that is watched, in the order of the runbook."""

from typing import Final

from zena.operate.symptoms import (
    a1_slow_api,
    a2_errors,
    b1_slow_queries,
    c1_cache_misses,
    d1_slow_dashboard,
    p1_broken_promise,
    q1_backlog,
    q2_failing_jobs,
)
from zena.operate.symptoms.contract import Symptom

SYMPTOMS: Final[tuple[Symptom, ...]] = (
    d1_slow_dashboard.SYMPTOM,
    a1_slow_api.SYMPTOM,
    a2_errors.SYMPTOM,
    b1_slow_queries.SYMPTOM,
    c1_cache_misses.SYMPTOM,
    q1_backlog.SYMPTOM,
    q2_failing_jobs.SYMPTOM,
    p1_broken_promise.SYMPTOM,
)
BY_ID: Final = {symptom.id: symptom for symptom in SYMPTOMS}
