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
#: Requests that failed, and errors that were counted, in the hour so far. Each of the former is one of the latter.
_COUNTED: Final = """
SELECT (SELECT coalesce(sum(p.bad), 0)::bigint FROM ops.point p JOIN ops.series s ON s.id = p.series_id
         WHERE s.metric LIKE 'http.%' AND p.minute >= date_trunc('hour', $1::timestamptz) AND p.minute < $1) AS failed,
       (SELECT coalesce(sum(h.count), 0)::bigint FROM ops.error_hour h
         WHERE h.hour = date_trunc('hour', $1::timestamptz)) AS counted
"""
#: operations.md, E1: a hundredth of them, and ten at least.
_LOST, _FEW = 0.01, 10
UNCOUNTED: Final = "uncounted"
_REPLACE: Final = "zena runbook plan replace_process"
#: What the system's words mean.
_MEANS: Final = (
    ("space", "disk_full"), ("quota", "disk_full"), ("Read-only", "read_only_disk"), ("ermission", "not_allowed"),
    ("No such file", "folder_gone"), ("handler", "handler_gone"), ("below what", "level"),
    ("switched off", "switched_off"), ("has ended", "writer_dead"), ("wait to be", "writer_stuck"),
    ("empties it", "emptied"),
)  # fmt: skip


async def watch(look: Look) -> list[Reading]:
    """Return whether each failed request left an error, and for each process whether what it logs can be read."""
    rows = await look.conn.fetch(_PROCESSES, look.minutes(_ALIVE))
    return [_balance(await look.conn.fetchrow(_COUNTED, look.now - look.minutes(_ALIVE))), *map(_reading, rows)]


def _balance(row: Any) -> Reading:
    lost = row["failed"] - row["counted"]
    over = lost >= _FEW and lost > _LOST * row["failed"]
    says = f"{row['failed']} requests failed since the hour began, {row['counted']} errors were counted"
    return Reading(UNCOUNTED, over, not over, says, float(max(lost, 0)), _LOST * row["failed"], {"trouble": ""})


def _reading(row: Any) -> Reading:
    says = f"what it logs does not arrive: {row['trouble']}" if row["trouble"] else "its lines are written"
    says += f"; {row['dropped']} lost since its start" if row["dropped"] else ""
    scope, facts = f"{row['role']} {row['host']} pid {row['pid']}", {"trouble": row["trouble"] or ""}
    return Reading(scope, bool(row["trouble"]), not row["trouble"], says, float(row["dropped"]), 0.0, facts)


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Put the system's own word into a cause. Lines meanwhile go to the console, and some are held in memory."""
    if reading.scope == UNCOUNTED:
        told = [Evidence("errors", reading.says)]
        lost = Hypothesis(UNCOUNTED, 0.8, "requests fail and leave no error", told, "zena logs --channel performance")
        return ranked([lost, await recent_change(look)])
    trouble = reading.facts["trouble"]
    cause = next((cause for word, cause in _MEANS if word in trouble), "files")
    evidence = [Evidence("heartbeat", reading.says)]
    return ranked(
        [
            Hypothesis(cause, 0.9, trouble, evidence, _REPLACE if cause in IN_PROCESS else "zena status"),
            await recent_change(look),
        ]
    )


#: Causes that end with the process that has them.
IN_PROCESS: Final = frozenset({"handler_gone", "switched_off", "writer_dead", "writer_stuck"})
CAUSES: Final = frozenset({"files", UNCOUNTED, *(cause for _, cause in _MEANS)})
SYMPTOM: Final = Symptom("E1", "Errors not being logged", Severity.HIGH, watch, diagnose, CAUSES)
