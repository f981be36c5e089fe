"""E1: errors occur and are not logged."""

from typing import Any, Final

from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.surroundings import recent_change

#: Lines that a process lets go between two looks at its heartbeat are told by it as a sum since its start.
_PROCESSES: Final = """
SELECT role, host, pid, facts ->> 'log_trouble' AS trouble, coalesce((facts ->> 'dropped_lines')::bigint, 0) AS dropped
  FROM ops.heartbeat WHERE seen_at > now() - $1::interval AND NOT facts ? 'ended' ORDER BY role, host, pid
"""
_ALIVE: Final = 1
#: What the system's words mean.
_MEANS: Final = (
    ("space", "disk_full"), ("quota", "disk_full"), ("Read-only", "read_only_disk"), ("ermission", "not_allowed"),
    ("No such file", "folder_gone"),
)  # fmt: skip


async def watch(look: Look) -> list[Reading]:
    """Return a reading for each process: whether its files take what it has to say."""
    return [_reading(row) for row in await look.conn.fetch(_PROCESSES, look.minutes(_ALIVE))]


def _reading(row: Any) -> Reading:
    says = f"the log files take no lines: {row['trouble']}" if row["trouble"] else "its lines are written"
    says += f"; {row['dropped']} lost since its start" if row["dropped"] else ""
    scope, facts = f"{row['role']} {row['host']} pid {row['pid']}", {"trouble": row["trouble"] or ""}
    return Reading(scope, bool(row["trouble"]), not row["trouble"], says, float(row["dropped"]), 0.0, facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Put the system's own word into a cause. Lines meanwhile go to the console, and some are held in memory."""
    trouble = reading.facts["trouble"]
    cause = next((cause for word, cause in _MEANS if word in trouble), "files")
    evidence = [Evidence("heartbeat", reading.says)]
    return ranked([Hypothesis(cause, 0.9, trouble, evidence, "zena status"), await recent_change(look)])


CAUSES: Final = frozenset({"files", *(cause for _, cause in _MEANS)})
SYMPTOM: Final = Symptom("E1", "Errors not being logged", Severity.HIGH, watch, diagnose, CAUSES)
