"""Every symptom that is watched, in the order of the runbook."""

from typing import Final

from zena.operate.symptoms import (
    a1_slow_api,
    a2_errors,
    b1_slow_queries,
    b2_connections,
    c1_cache_misses,
    c2_cache_broken,
    d1_slow_dashboard,
    d2_wrong_figures,
    e1_lost_errors,
    p1_broken_promise,
    q1_backlog,
    q2_failing_jobs,
    t1_hidden_data,
    t2_broken_fence,
    u1_sign_in,
    w1_refused_sockets,
    w2_silent_sockets,
    x1_down,
    x2_corruption,
)
from zena.operate.symptoms.contract import Symptom

SYMPTOMS: Final[tuple[Symptom, ...]] = tuple(
    module.SYMPTOM
    for module in (
        d1_slow_dashboard, d2_wrong_figures, a1_slow_api, a2_errors, b1_slow_queries, b2_connections, c1_cache_misses,
        c2_cache_broken, q1_backlog, q2_failing_jobs, w1_refused_sockets, w2_silent_sockets, t1_hidden_data,
        t2_broken_fence, u1_sign_in, e1_lost_errors, p1_broken_promise, x1_down, x2_corruption,
    )
)  # fmt: skip
BY_ID: Final = {symptom.id: symptom for symptom in SYMPTOMS}
