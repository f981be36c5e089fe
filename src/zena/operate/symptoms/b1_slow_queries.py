"""B1: a statement takes more than 100 ms."""

from typing import Any, Final

import asyncpg

from zena.kit.db import dialled
from zena.operate.database import plans
from zena.operate.metrics.statements import known
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import MINUTES, Counted, counted, slow_share
from zena.operate.symptoms.surroundings import blocked_sessions, recent_change
from zena.operate.telemetry.limits import QUERY

LIMIT: Final = 0.05
_LONG, _SHORT = 10, 3
_LEAST: Final = 20
#: Where so many kinds of statement are slow at once, none of them is at fault by itself.
_MANY: Final = 5
BUSIEST: Final = """
SELECT tenant FROM ops.request, jsonb_array_elements(facts -> 'statements') AS one
 WHERE at >= $1 AND at <= $2 AND tenant IS NOT NULL AND one ->> 'fingerprint' = $3
 GROUP BY tenant ORDER BY sum((one ->> 'ms')::float8) DESC, tenant LIMIT 1
"""
STALE: Final = """
SELECT relname, n_live_tup, n_dead_tup, n_mod_since_analyze FROM pg_stat_user_tables
 WHERE relname = ANY ($1) AND n_mod_since_analyze > greatest(1000, n_live_tup / 2) ORDER BY relname
"""


async def watch(look: Look) -> list[Reading]:
    """Return a reading for each statement, by fingerprint, that was slow at all."""
    series = [one for one in await counted(look, ["query"], long=_LONG, short=_SHORT) if one.slow]
    texts = await known(look.conn, [one.label for one in series])
    return [_reading(one, texts.get(one.label, {}).get("caller")) for one in series]


def _reading(one: Counted, caller: str | None) -> Reading:
    share = slow_share([one])
    over = share.over(LIMIT, least=_LEAST)
    mean = one.ms / one.n
    if one.n >= _LEAST and mean > QUERY and one.near_slow and one.slow_minutes >= MINUTES:
        over = True
    says = (
        f"in {_SHORT} minutes {one.near_slow} of {one.near_n} runs of this statement took over {QUERY:g} ms,"
        f" in {_LONG} minutes {one.slow} of {one.n}; {mean:.0f} ms on average"
        + (f"; sent from {caller}" if caller else "")
    )
    return Reading(one.label, over, share.calm(LIMIT), says, share.far, LIMIT, {"mean_ms": round(mean, 1)})


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Look at locks first, then at the plan that the application gets, then at statistics."""
    locks = await blocked_sessions(look)
    if locks is not None:  # a plan would wait for the same lock
        return ranked([locks, await _many(look), await recent_change(look)])
    told = (await known(look.conn, [reading.scope])).get(reading.scope, {"text": None, "caller": None})
    planned, why_not = await _plan(look, reading.scope, told)
    ruled_out = [("lock", "no session waits for a lock"), why_not]
    return ranked([await _many(look), *planned, await recent_change(look)], ruled_out)


async def _many(look: Look) -> Hypothesis | None:
    """Tell whether statements of many kinds are slow at once."""
    slow = [one for one in await counted(look, ["query"], long=_LONG, short=_SHORT) if one.near_slow]
    if len(slow) < _MANY:
        return None
    says = f"statements of {len(slow)} kinds are slow at once: the machine, its disk, or the way to the database"
    return Hypothesis("database_busy", 0.7, says, [Evidence("statements", says)], "zena db activity")


async def _plan(
    look: Look, fingerprint: str, told: dict[str, Any]
) -> tuple[list[Hypothesis | None], tuple[str, str] | None]:
    """Explain the statement as zena_app for the firm that spends most on it."""
    tenant = await look.conn.fetchval(BUSIEST, look.since(_LONG), look.now, fingerprint)
    if tenant is None or told["text"] is None:
        return [], ("plan", "no kept request names a firm that ran it, so its plan was not looked at")
    try:
        async with dialled(look.settings.direct_dsn, "zena-symptoms") as app:
            plan = await plans.plan_of(app, told["text"], tenant)
    except (asyncpg.PostgresError, plans.NotASelect) as error:
        return [], ("plan", f"it cannot be explained: {type(error).__name__}")
    marks = await plans.marks(look.conn, plan)
    read = sorted({node["Relation Name"] for node in plans.nodes(plan.tree) if "Relation Name" in node})
    stale = await look.conn.fetch(STALE, read)
    return [_whole_table(marks, plan, told), _statistics(stale)], (
        None if marks else ("missing_index", f"its plan uses indexes of {', '.join(read) or 'nothing'}")
    )


def _whole_table(marks: list[str], plan: plans.Plan, told: dict[str, Any]) -> Hypothesis | None:
    if not marks:
        return None
    conditions = [node["Filter"] for node in plans.nodes(plan.tree) if "Filter" in node]
    evidence = [Evidence("plan as zena_app", mark, {"filter": conditions}) for mark in marks]
    says = f"no index serves it: {marks[0]}; sent from {told['caller'] or 'an unknown place'}"
    return Hypothesis("missing_index", 0.8, says, evidence, "zena db slow")


def _statistics(stale: list[Any]) -> Hypothesis | None:
    if not stale:
        return None
    told = [
        Evidence("statistics", f"{row['relname']}: {row['n_mod_since_analyze']} rows changed since the last ANALYZE")
        for row in stale
    ]
    says = f"the planner's figures of {', '.join(row['relname'] for row in stale)} are out of date"
    return Hypothesis("stale_statistics", 0.5, says, told, "zena db slow")


CAUSES: Final = frozenset({"lock", "database_busy", "missing_index", "stale_statistics"})
SYMPTOM: Final = Symptom(
    "B1", "Slow queries", Severity.HIGH, watch, diagnose, CAUSES, folds=frozenset({"D1", "A1", "P1"})
)
