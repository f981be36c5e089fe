"""What operators do with the queue, on a raw connection as zena_ops or in the worker's role."""

from datetime import timedelta
from typing import Any

from zena.kit.db import Raw
from zena.kit.queue.failures import readable_arguments
from zena.kit.queue.work import JobWork
from zena.kit.registry import CronSpec

#: How long the log of finished jobs and the per-second counts are kept.
LOG_KEPT = timedelta(days=7)

_SIZES = """
SELECT entrypoint, status::text, count(*) AS jobs, extract(epoch FROM now() - min(created))::float AS oldest_seconds
FROM queue.pgqueuer GROUP BY entrypoint, status ORDER BY entrypoint, status
"""

_SHOW = """
SELECT id, entrypoint, status::text, headers ->> 'tenant' AS tenant, payload, attempts, created, updated, execute_after
FROM queue.pgqueuer WHERE id = $1
"""

_HISTORY = """
SELECT created, status::text, traceback ->> 'exception_type' AS error, traceback ->> 'exception_message' AS message,
       traceback ->> 'traceback' AS traceback
FROM queue.pgqueuer_log WHERE job_id = $1 ORDER BY created, id LIMIT 200
"""

_PAUSE = """
INSERT INTO queue.paused (entrypoint, reason) VALUES ($1, $2)
ON CONFLICT (entrypoint) DO UPDATE SET reason = excluded.reason, at = now()
"""

# Jobs still in the queue keep their log: it tells how often they were started.
_TRIM = """
DELETE FROM queue.pgqueuer_log AS log WHERE log.id IN (
  SELECT old.id FROM queue.pgqueuer_log AS old
  WHERE old.created < now() - $1::interval AND old.aggregated
    AND NOT EXISTS (SELECT FROM queue.pgqueuer AS job WHERE job.id = old.job_id)
  LIMIT 5000)
"""

_TRIM_STATISTICS = "DELETE FROM queue.pgqueuer_statistics WHERE created < now() - $1::interval"


async def sizes(connection: Raw) -> list[dict[str, Any]]:
    """Return how many jobs wait, run and are held, by name, with the age of the oldest."""
    return [dict(row) for row in await connection.fetch(_SIZES)]


async def show(connection: Raw, job_id: int) -> dict[str, Any] | None:
    """Return one job with its arguments (without secrets) and history; None when it is neither queued nor logged."""
    row = await connection.fetchrow(_SHOW, job_id)
    history = [dict(entry) for entry in await connection.fetch(_HISTORY, job_id)]
    if row is None:
        return {"id": job_id, "history": history} if history else None
    job = dict(row)
    return job | {"arguments": readable_arguments(job.pop("payload")), "history": history}


async def pause(connection: Raw, name: str, reason: str) -> None:
    """Let no worker take jobs of this name; those running end. Workers notice within two seconds."""
    await connection.execute(_PAUSE, name, reason)


async def resume(connection: Raw, name: str) -> bool:
    """Undo `pause`; tell whether it was paused."""
    return _count(await connection.execute("DELETE FROM queue.paused WHERE entrypoint = $1", name)) > 0


async def trim(connection: Raw, kept: timedelta = LOG_KEPT) -> int:
    """Delete the log of jobs that ended longer ago; return how many rows went."""
    removed = 0
    while (batch := _count(await connection.execute(_TRIM, kept))) > 0:
        removed += batch
    await connection.execute(_TRIM_STATISTICS, kept * 5)
    return removed


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])


async def _trim_job(work: JobWork) -> None:
    connection = await work.state.db.direct()
    try:
        await connection.execute("SET ROLE zena_queue")
        await trim(connection)
    finally:
        await connection.close()


#: The queue cleans up after itself, each night.
TRIM = CronSpec("queue.trim", "17 2 * * *", _trim_job)
