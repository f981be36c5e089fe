"""Q1: jobs wait too long. Time decides, not their number: a thousand short ones are done in seconds."""

from datetime import datetime
from typing import Any, Final

from zena.operate.logs import groups
from zena.operate.queue.standing import BACKLOG, LATE, standing
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.surroundings import blocked_sessions, recent_change

_WINDOW: Final = 5
#: Jobs that wait so long for a pause to end are forgotten, minutes.
FORGOTTEN: Final = 60
#: Jobs that one worker runs at once, as `zena queue status` reckons.
_SHARE: Final = 0.5
#: Where an error is the worker's own, and what shows it.
_OWN: Final = "zena.kit.queue."
_LOGS: Final = "zena logs --channel jobs --level error"
_HORIZON: Final = """
SELECT pid, application_name, state, extract(epoch FROM now() - xact_start)::float8 AS age
  FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND xact_start < now() - $1::interval
   AND pid <> pg_backend_pid() ORDER BY xact_start, pid LIMIT 3
"""
_FIRMS: Final = """
SELECT headers ->> 'tenant' AS tenant, count(*) AS jobs FROM queue.pgqueuer
 WHERE status = 'queued' AND execute_after <= now() GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1
"""


async def watch(look: Look) -> list[Reading]:
    """Return one reading for the whole queue, and one for each kind: whether somebody forgot that it is paused.

    In the whole, jobs that are due later and those that are paused do not wait.
    """
    slots = look.settings.worker_pool_size
    found = await standing(look.conn, look.now, window=look.minutes(_WINDOW), slots=slots)
    rows = [row for row in found["kinds"] if row["paused"] is None]
    waiting, oldest = sum(row["waiting"] for row in rows), max((row["oldest"] or 0.0 for row in rows), default=0.0)
    held_up = sum(row["waiting"] for row in found["kinds"] if row["paused"] is not None)
    late = LATE * look.pace
    clear = [row["clear"] for row in rows if row["waiting"]]
    slow = waiting > BACKLOG and any(seconds is None or seconds > late for seconds in clear)
    nobody = not found["workers"]["alive"]
    over = oldest > late or slow or nobody
    says = (
        f"{waiting} jobs wait, the oldest for {oldest:.0f} s (limit {late:g}); {found['workers']['alive']} workers live"
        + (f"; {held_up} more wait for a pause to end" if held_up else "")
    )
    whole = Reading("", over, not over, says, oldest, late, {"kinds": found["kinds"], "workers": found["workers"]})
    since = {row["kind"]: row["at"] for row in found["paused"]}
    return [whole, *(_kind(look, row, since.get(row["kind"])) for row in found["kinds"])]


def _kind(look: Look, row: dict[str, Any], since: datetime | None) -> Reading:
    """Jobs of a kind wait for a pause to end, and nobody ends it."""
    limit = look.minutes(FORGOTTEN).total_seconds()
    if since is None:
        return Reading(row["kind"], over=False, calm=True, says="not paused", value=0.0, limit=limit)
    waits = min(row["oldest"] or 0.0, (look.now - since).total_seconds())
    says = f"{row['waiting']} jobs wait for {waits:.0f} s (limit {limit:g}) for a pause to end: {row['paused']}"
    facts = {"reason": row["paused"], "since": since.isoformat(), "waiting": row["waiting"]}
    return Reading(row["kind"], waits > limit, waits <= limit, says, waits, limit, facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Name a pause that goes on; else who should work, what takes the workers' time, who holds the table up."""
    if "reason" in reading.facts:
        told = [Evidence("queue", f"paused at {reading.facts['since']}", reading.facts)]
        return ranked([Hypothesis("paused", 0.95, reading.says, told, "zena queue status"), await recent_change(look)])
    kinds, crew = reading.facts["kinds"], reading.facts["workers"]
    causes = [
        _nobody(crew),
        await _worker_fails(look),
        _slow_kind(kinds, crew),
        _stuck(kinds, crew),
        await _one_firm(look, kinds),
        await _old_snapshot(look),
        await blocked_sessions(look),
        await recent_change(look),
    ]
    ruled_out = [("no_worker", f"{crew['alive']} workers gave a sign of life")] if crew["alive"] else []
    return ranked(causes, ruled_out)


def _nobody(crew: dict[str, Any]) -> Hypothesis | None:
    if crew["alive"]:
        return None
    if crew["connections"]:
        says = f"no worker gives a sign of life, though {crew['connections']} connections of workers are open: stopped"
        cause, command = "worker_frozen", "zena runbook plan replace_process"
    else:
        says, cause, command = "no worker runs", "no_worker", "zena queue work"
    return Hypothesis(cause, 0.95, says, [Evidence("heartbeats", f"{crew['silent']} fell silent", crew)], command)


async def _worker_fails(look: Look) -> Hypothesis | None:
    """What fails is not a job, but the worker itself as it takes one."""
    found = await groups.grouped(look.conn, look.since(_WINDOW), channels=["jobs"], limit=20)
    own = [one for one in found if one["place"].startswith(_OWN) and one["last_seen"] <= look.now]
    if not own:
        return None
    what = f"{own[0]['what']} at {own[0]['place']}"
    told = [
        Evidence(
            "errors",
            f"{own[0]['fingerprint']}: {own[0]['recent']} times, first at {own[0]['first_seen']:%m-%d %H:%M:%S}",
        )
    ]
    return Hypothesis("worker_fails", 0.9, f"the workers themselves fail as they take jobs: {what}", told, _LOGS)


def _slow_kind(kinds: list[dict[str, Any]], crew: dict[str, Any]) -> Hypothesis | None:
    """One kind makes up most of the work that waits."""
    work = {row["kind"]: row["waiting"] * (row["mean_ms"] or 0) for row in kinds}
    total = sum(work.values())
    if not total or not crew["alive"]:
        return None
    kind, ms = max(work.items(), key=lambda item: item[1])
    row = next(row for row in kinds if row["kind"] == kind)
    if ms / total < _SHARE:
        return None
    says = f"{row['waiting']} of {kind} wait, each takes {row['mean_ms']:.0f} ms: {ms / total:.0%} of the work"
    facts = {"kind": kind, "waiting": row["waiting"], "mean_ms": row["mean_ms"], "running": row["running"]}
    return Hypothesis("too_few_workers", 0.6, says, [Evidence("queue", says, facts)], "zena queue status")


def _stuck(kinds: list[dict[str, Any]], crew: dict[str, Any]) -> Hypothesis | None:
    """Jobs wait, workers live, and nothing is done."""
    waiting, runs, running = (sum(row[name] for row in kinds) for name in ("waiting", "runs", "running"))
    if not waiting or runs or not crew["alive"]:
        return None
    says = f"nothing was done in {_WINDOW} minutes: {waiting} wait, {running} run"
    return Hypothesis("stuck", 0.8, says, [Evidence("queue", says)], "zena queue status")


async def _one_firm(look: Look, kinds: list[dict[str, Any]]) -> Hypothesis | None:
    waiting, row = sum(row["waiting"] for row in kinds), await look.conn.fetchrow(_FIRMS)
    if row is None or row["tenant"] is None or row["jobs"] <= BACKLOG or row["jobs"] / max(1, waiting) < _SHARE:
        return None
    says = f"{row['jobs']} of the {waiting} that wait are those of firm {row['tenant']}"
    return Hypothesis("one_firm", 0.5, says, [Evidence("queue", says, {"tenant": row["tenant"]})], "zena queue status")


async def _old_snapshot(look: Look) -> Hypothesis | None:
    """A transaction left open keeps dead rows alive, which every taking of a job then reads."""
    rows = await look.conn.fetch(_HORIZON, look.minutes(_WINDOW))
    if not rows:
        return None
    told = [
        Evidence("sessions", f"pid {row['pid']} ({row['application_name'] or 'unnamed'}), {row['age']:.0f} s")
        for row in rows
    ]
    says = f"a transaction has been open for {rows[0]['age']:.0f} s: finished jobs cannot be cleared away"
    return Hypothesis("old_snapshot", 0.45, says, told, "zena db activity")


CAUSES: Final = frozenset(
    {
        "no_worker",
        "worker_frozen",
        "too_few_workers",
        "stuck",
        "one_firm",
        "old_snapshot",
        "lock",
        "paused",
        "worker_fails",
    }
)
SYMPTOM: Final = Symptom(
    "Q1", "Queue backlog increasing", Severity.HIGH, watch, diagnose, CAUSES, folds=frozenset({"P1"})
)
