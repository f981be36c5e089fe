"""Schedules: pgqueuer's table says when to look, one row of ours per schedule says whether the slot is taken.

pgqueuer alone can fire twice for one slot: it cuts the next run to whole seconds, so a tick in the last fraction before
the slot is followed by another at the slot. The claim and the job are one transaction, hence neither lost nor doubled.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
from croniter import croniter
from pgqueuer import PgQueuer
from pgqueuer.models import Schedule

from zena.kit.logs import get_logger
from zena.kit.queue.enqueue import insert_jobs
from zena.kit.queue.queries import WorkerQueries
from zena.kit.registry import CronSpec, JobSpec

log = get_logger(__name__)

_CLAIM = """
INSERT INTO queue.cron AS cron (name, slot) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET slot = excluded.slot WHERE cron.slot < excluded.slot
RETURNING true
"""

#: Attempts of what a schedule starts.
_ATTEMPTS = 5


def cron_job(cron: CronSpec) -> JobSpec:
    """Return the job that a tick of this schedule queues."""
    return JobSpec(cron.name, cron.run, attempts=_ATTEMPTS, timeout=cron.timeout)


def schedule_crons(
    queuer: PgQueuer, pool: "asyncpg.Pool[asyncpg.Record]", crons: list[CronSpec], queries: WorkerQueries
) -> None:
    """Let this worker take part in firing the schedules, except while it takes no jobs."""
    for cron in crons:
        queuer.schedule(cron.name, cron.schedule)(_tick(pool, cron, queries))


def slot_of(schedule: str, now: datetime) -> datetime:
    """Return the scheduled instant that a tick at `now` stands for."""
    slot: datetime = croniter(schedule, now + timedelta(milliseconds=1)).get_prev(datetime)
    return slot


async def fire(pool: "asyncpg.Pool[asyncpg.Record]", cron: CronSpec, slot: datetime) -> bool:
    """Queue the schedule's job for this slot unless some worker has; tell whether it was this one."""
    async with pool.acquire() as connection, connection.transaction():
        claimed = await connection.fetchval(_CLAIM, cron.name, slot)
        if claimed:
            await insert_jobs(connection, cron.name, [None])
    return bool(claimed)


def _tick(
    pool: "asyncpg.Pool[asyncpg.Record]", cron: CronSpec, queries: WorkerQueries
) -> Callable[[Schedule], Awaitable[None]]:
    async def tick(_: Schedule) -> None:
        if queries.closed():
            return
        # The machine's clock, as pgqueuer reckons the next run by it; the slot must be cut on the same ruler.
        slot = slot_of(cron.schedule, datetime.now(UTC))
        if await fire(pool, cron, slot):
            log.info("schedule fired", cron=cron.name, slot=slot.isoformat())

    return tick
