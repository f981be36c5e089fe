"""Why one job does not run: the conditions of running in their order."""

from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.kit.queue.admin import show
from zena.kit.queue.failures import failures
from zena.kit.queue.worker import HEARTBEAT_TIMEOUT
from zena.operate.queue.standing import workers

Reason = tuple[str, bool, str]

_STATE: Final = """
SELECT job.heartbeat, paused.reason AS paused,
       (SELECT count(*) FROM queue.pgqueuer AS other WHERE other.status = 'queued' AND other.execute_after <= now()
           AND other.entrypoint = job.entrypoint AND other.id < job.id) AS ahead
  FROM queue.pgqueuer AS job LEFT JOIN queue.paused ON paused.entrypoint = job.entrypoint WHERE job.id = $1
"""


async def reasons(conn: Raw, number: int, now: datetime) -> list[Reason] | None:
    """Return each condition as name, whether it holds, and what is found; None if there is no such job."""
    job = await show(conn, number)
    if job is None:
        return None
    if "status" not in job:
        return [_ended(job["history"])]
    state = await conn.fetchrow(_STATE, number)
    if state is None:  # it ended between the two questions
        return await reasons(conn, number, now)
    found: list[Reason] = [("exists", True, f"{job['entrypoint']}, queued {job['created']:%Y-%m-%d %H:%M:%S}")]
    held = await failures(conn, ids=[number])
    if held:
        said = f"{held[0].error}: {' '.join(held[0].message.split())[:200]}"
        return [*found, ("not held", False, f"{said} [{held[0].fingerprint}]: `zena queue retry {number}`")]
    found.append(("not held", True, f"started {sum(row['status'] == 'picked' for row in job['history'])} times"))
    if job["status"] == "picked":
        silent = now - state["heartbeat"]
        says = f"its worker gave a sign of life {_seconds(silent)} ago"
        lost = silent > 2 * HEARTBEAT_TIMEOUT
        return [*found, ("runs", not lost, f"{says}; another takes it up once one is free" if lost else says)]
    return [*found, *await _waiting(conn, job, state, now)]


async def _waiting(conn: Raw, job: dict[str, Any], state: Any, now: datetime) -> list[Reason]:
    wait = job["execute_after"] - now
    due = wait <= timedelta(0)
    when = "yes" if due else f"in {_seconds(wait)}, at {job['execute_after']:%H:%M:%S} UTC"
    kind = job["entrypoint"]
    paused = f"{state['paused']}: `zena queue resume {kind}`" if state["paused"] is not None else "no"
    alive = sum(worker["alive"] for worker in await workers(conn))
    return [
        ("is due", due, when),
        ("its kind is not paused", state["paused"] is None, paused),
        ("a worker is alive", alive > 0, f"{alive}" if alive else "none: `zena queue workers`"),
        ("its turn", True, f"{state['ahead']} of its kind before it"),
    ]


def _ended(history: list[dict[str, Any]]) -> Reason:
    last = history[-1]
    return ("has ended", True, f"{last['status']} at {last['created']:%Y-%m-%d %H:%M:%S} UTC")


def _seconds(length: timedelta) -> str:
    return f"{max(0.0, length.total_seconds()):.0f} s"
