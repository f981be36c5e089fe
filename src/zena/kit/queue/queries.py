"""pgqueuer's queries with what it lacks: pausing jobs by name, counting crashes, postponing, surviving outages."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
from pgqueuer.models import Job, TracebackRecord
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pgqueuer.queries import Queries
from pgqueuer.types import QueueEntrypoint, QueueManagerId

from zena.kit.logs import get_logger
from zena.kit.queue.schema import WAKE

log = get_logger(__name__)

#: What a lost or refused database connection looks like from here.
CONNECTION_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)

# 'queued' is logged at each enqueue and each orderly retry, so picks after the last one are runs that never ended.
_PICKS = """
SELECT picked.job_id, count(*) AS picks
FROM queue.pgqueuer_log AS picked
WHERE picked.job_id = ANY($1::bigint[]) AND picked.status = 'picked'
  AND picked.id > coalesce((
    SELECT max(queued.id) FROM queue.pgqueuer_log AS queued
    WHERE queued.job_id = picked.job_id AND queued.status = 'queued'), 0)
GROUP BY picked.job_id
"""

_POSTPONE = """
WITH postponed AS (
  UPDATE queue.pgqueuer
  SET status = 'queued', execute_after = now() + $2::interval, updated = now(), queue_manager_id = NULL
  WHERE id = $1 RETURNING id, entrypoint, priority)
INSERT INTO queue.pgqueuer_log (job_id, status, entrypoint, priority)
SELECT id, 'queued', entrypoint, priority FROM postponed
"""


@dataclass
class WorkerQueries(Queries):
    """The queries of one worker. `picks` says how often a job just taken was started since it was last queued.

    No job is taken while `closed()`.
    """

    paused: frozenset[str] = frozenset()
    closed: Callable[[], bool] = lambda: False
    was_closed: bool = False
    picks: dict[int, int] = field(default_factory=dict)
    postponed: set[int] = field(default_factory=set)

    async def refresh_paused(self) -> None:
        """Read which jobs an operator has paused; look at the queue at once when one was resumed, or all."""
        rows = await self.driver.fetch("SELECT entrypoint FROM queue.paused")
        before, self.paused = self.paused, frozenset(str(row["entrypoint"]) for row in rows)
        was_closed, self.was_closed = self.was_closed, self.closed()
        if before - self.paused or (was_closed and not self.was_closed):
            await self.driver.execute(WAKE)

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        running = {name: limit for name, limit in entrypoints.items() if name not in self.paused}
        if not running or self.closed():
            return []
        jobs = await super().dequeue(batch_size, running, queue_manager_id, global_concurrency_limit, heartbeat_timeout)
        if jobs:
            await self._count_picks(jobs)
        return jobs

    async def queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        return await super().queued_work(self._running(entrypoints))

    async def eligible_queued_work(self, entrypoints: list[QueueEntrypoint]) -> int:
        return await super().eligible_queued_work(self._running(entrypoints))

    async def next_deferred_eta(self, entrypoints: list[QueueEntrypoint]) -> timedelta | None:
        return await super().next_deferred_eta(self._running(entrypoints))

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        try:
            if job.id in self.postponed:
                self.postponed.discard(job.id)
                await self.driver.execute(_POSTPONE, job.id, delay)
            else:
                await super().retry_job(job, delay, traceback_record)
            await self.driver.execute(WAKE)
        except Exception as error:  # noqa: BLE001 - a lost server shows in more ways than there are names for
            # Raising would hold the job for good. Left alone its heartbeat goes stale and a worker takes it again,
            # which counts as an attempt: what can never be stored ends by that.
            about = {"job": job.id, "job_name": job.entrypoint, "error": type(error).__name__}
            log.warning("retry not stored, the job's heartbeat will lapse", **about)

    def _running(self, entrypoints: list[QueueEntrypoint]) -> list[QueueEntrypoint]:
        return [] if self.closed() else [name for name in entrypoints if name not in self.paused]

    async def _count_picks(self, jobs: list[Job]) -> None:
        rows = await self.driver.fetch(_PICKS, [job.id for job in jobs])
        for row in rows:
            self.picks[int(str(row["job_id"]))] = int(str(row["picks"]))
