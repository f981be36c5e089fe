"""X1: nobody serves, or a process dies again and again."""

from datetime import timedelta
from typing import Any, Final

from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.sentinel import UNANSWERED, tried, unanswered
from zena.operate.symptoms.surroundings import blocked_sessions, recent_change

#: So many starts within ten minutes, of processes that did not end in order.
LOOP: Final = 5
_WINDOW: Final = 10
_STANDING: Final = """
SELECT role, count(*) FILTER (WHERE seen_at > now() - $1::interval AND NOT facts ? 'ended') AS alive,
       count(*) FILTER (WHERE started_at > now() - $2::interval AND NOT facts ? 'ended'
                          AND seen_at <= now() - $1::interval) AS died,
       max(seen_at) AS seen_at
  FROM ops.heartbeat WHERE seen_at > now() - $3::interval AND role IN ('web', 'websocket') GROUP BY role ORDER BY role
"""
#: A process is alive that wrote its measurements within so many minutes.
_ALIVE: Final = 35 / 60
#: Writing them takes its time over a slow way, whatever the pace.
_LEAST_ALIVE: Final = timedelta(seconds=4)
_HOUR: Final = 60


async def watch(look: Look) -> list[Reading]:
    """Return a reading for each role that served within the hour; workers are Q1's."""
    spans = (max(look.minutes(_ALIVE), _LEAST_ALIVE), look.minutes(_WINDOW), look.minutes(_HOUR))
    standing = [_reading(dict(row)) for row in await look.conn.fetch(_STANDING, *spans)]
    return [*standing, *await tried(look, "page")]


def _reading(row: dict[str, Any]) -> Reading:
    over = not row["alive"] or row["died"] >= LOOP
    says = f"{row['alive']} processes give a sign of life, {row['died']} died in {_WINDOW} minutes"
    facts = {"alive": row["alive"], "died": row["died"], "seen_at": row["seen_at"].isoformat()}
    return Reading(row["role"], over, not over, says, float(row["died"]), float(LOOP), facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Tell dying again and again from not being there, and from being there without an answer."""
    if (silent := unanswered(reading)) is not None:
        return ranked([silent, await blocked_sessions(look), await recent_change(look)])
    told = [
        Evidence("heartbeats", f"{reading.says}; the last sign of life at {reading.facts['seen_at']}", reading.facts)
    ]
    if reading.facts["died"] >= LOOP:
        cause = Hypothesis("crash_loop", 0.9, "it starts and dies again and again", told, "zena logs --level error")
    else:
        cause = Hypothesis("not_running", 0.9, f"no {reading.scope} process runs", told, "zena status")
    return ranked([cause, await recent_change(look)])


SYMPTOM: Final = Symptom(
    "X1", "System down", Severity.CRITICAL, watch, diagnose,
    frozenset({"crash_loop", "not_running", "lock", UNANSWERED}),
    folds=frozenset({"W1", "W2", "P1"}),
)  # fmt: skip
