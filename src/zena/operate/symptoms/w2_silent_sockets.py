"""W2: people are connected and hear nothing, or hear it late."""

from typing import Any, Final

from zena.operate.realtime.processes import STUCK, processes
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import SHORT, counted, slow_share
from zena.operate.symptoms.sentinel import UNANSWERED, tried, unanswered
from zena.operate.symptoms.surroundings import blocked_sessions, lost_right, recent_change
from zena.operate.telemetry.limits import DELIVERY

#: Share of events that reach their listeners after more than two seconds.
LIMIT: Final = 0.01
_SLOW_READER: Final = "1013 too slow"
_REPLACE: Final = "zena runbook plan replace_process"
_QUEUE: Final = "SELECT pg_notification_queue_usage()"
_FULL: Final = 0.1
#: A tail looks once a second whatever the pace: its limit is never shorter than half of its length in production.
_LEAST_PACE: Final = 0.5


async def watch(look: Look) -> list[Reading]:
    """Return a reading for deliveries, and one for each process that somebody listens to."""
    share = slow_share(await counted(look, ["ws.delivery"]))
    says = (
        f"{share.near_bad} of {share.near_total} events in {SHORT} minutes were told after over {DELIVERY / 1000:g} s"
    )
    over = share.over(LIMIT)
    late = Reading("", over, share.calm(LIMIT), says if share.total else "no events", share.far, LIMIT)
    alive = [one for one in await processes(look.conn) if one["alive"]]
    listened = [_reading(one, look.pace) for one in alive if one["live"]["tenants"]]
    return [late, *listened, *await tried(look, "delivery")]


def stuck_after(pace: float) -> float:
    """Return the seconds without reading after which a process that somebody listens to is stuck."""
    return STUCK * max(pace, _LEAST_PACE)


def _reading(one: dict[str, Any], pace: float) -> Reading:
    seconds, hears = one["live"]["tail_seconds"] or 0.0, one["live"]["hears_the_bell"]
    limit = stuck_after(pace)
    over = seconds > limit or not hears
    says = f"read the events {seconds:.1f} s ago, {'woken by the database' if hears else 'NOT woken by the database'}"
    facts = {"stuck": seconds > limit, "tail_seconds": seconds, "hears": hears}
    return Reading(f"{one['role']} {one['host']} pid {one['pid']}", over, not over, says, seconds, limit, facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Follow the way of an event: written, woken, read, sent."""
    facts, full = reading.facts, await look.conn.fetchval(_QUEUE)
    told = [Evidence("process", reading.says, facts)]
    causes: list[Hypothesis | None] = [
        Hypothesis("stuck_reader", 0.85, "the process does not read what was written", told, _REPLACE)
        if facts.get("stuck")
        else None,
        Hypothesis("not_woken", 0.7, "the database does not wake it: it looks once a second", told, "zena db activity")
        if facts.get("hears") is False
        else None,
        _queue_full(full),
        await _slow_readers(look),
        unanswered(reading),
        await blocked_sessions(look),
        await lost_right(look),
        await recent_change(look),
    ]
    return ranked(causes, [None if full > _FULL else ("queue_full", f"the notification queue is {full:.0%} full")])


def _queue_full(full: float) -> Hypothesis | None:
    if full <= _FULL:
        return None
    says = f"the database's notification queue is {full:.0%} full: some session listens and takes nothing"
    return Hypothesis("queue_full", 0.8, says, [Evidence("database", says)], "zena db activity --all")


async def _slow_readers(look: Look) -> Hypothesis | None:
    closes = [one for one in await counted(look, ["ws.close"]) if one.label == _SLOW_READER and one.near_n]
    if not closes:
        return None
    says = f"{closes[0].near_n} connections were ended because their readers were too slow"
    return Hypothesis("slow_reader", 0.4, says, [Evidence("closes", says)], "zena websocket status")


CAUSES: Final = frozenset(
    {"stuck_reader", "not_woken", "queue_full", "slow_reader", "lock", "right_missing", UNANSWERED}
)
SYMPTOM: Final = Symptom("W2", "WebSocket messages not received", Severity.HIGH, watch, diagnose, CAUSES)
