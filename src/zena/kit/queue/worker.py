"""The worker: takes jobs, fires schedules, outlives its database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.domain.errors import FailingListenerError
from pgqueuer.errors import PgqException
from pgqueuer.models import HealthCheckEvent
from pgqueuer.qm import QueueManager
from pgqueuer.types import Channel

from zena.kit.db import Database, asyncpg_dsn, leave_as_is
from zena.kit.logs import get_logger
from zena.kit.queue.admin import TRIM
from zena.kit.queue.crons import cron_job, schedule_crons
from zena.kit.queue.enqueue import query_builders
from zena.kit.queue.executor import executor_for
from zena.kit.queue.queries import CONNECTION_ERRORS, WorkerQueries
from zena.kit.queue.restart import RestartWatch
from zena.kit.queue.schema import CHANNEL, WORKER_ROLE
from zena.kit.registry import Registry

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

#: A job whose worker was killed is taken again after this long without a heartbeat.
HEARTBEAT_TIMEOUT = timedelta(seconds=10)
#: Longest time between two looks at the queue when no notification arrives.
DEQUEUE_TIMEOUT = timedelta(seconds=5)

_REFRESH_WISHES = 2.0
_LONGEST_PAUSE = 15.0
_CLOSING = 5.0


async def run_worker(
    state: "State", registry: Registry, stop: asyncio.Event, *, concurrency: int = 50, grace: float = 25.0
) -> None:
    """Work until `stop` is set, then let running jobs end. Reconnects with backoff when the database goes away.

    Jobs still running `grace` seconds after `stop` go back to the queue. A restart that is asked for sets `stop`.
    """
    pause, restarts = 0.5, RestartWatch()
    while not stop.is_set():
        try:
            async with _pool(state.db) as pool:
                await _Worker(state, registry, pool, restarts).run(stop, concurrency, grace)
                pause = 0.5
        except (*CONNECTION_ERRORS, PgqException) as error:
            log.warning("worker lost the database", error=type(error).__name__, again_in=pause)
        except Exception:  # whatever it is, a worker that has stopped working would be worse
            log.exception("worker failed", again_in=pause)
        await wait_for(stop, pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def wait_for(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until `stop` is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


@asynccontextmanager
async def _pool(db: Database) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    """Open the queue's own connections: direct, because of LISTEN, and in the worker's role."""
    pool = await asyncpg.create_pool(
        dsn=asyncpg_dsn(db.options.direct_url or db.options.url),
        min_size=2,
        max_size=4,
        command_timeout=30,
        timeout=5,
        reset=leave_as_is,  # nothing to ask of a connection that the server has cut while a job was being cancelled
        server_settings={
            "role": WORKER_ROLE,
            "application_name": "zena-queue",
            "timezone": "UTC",
            "default_transaction_read_only": "off",  # what runs when changes are switched off may end and be noted
        },
    )
    try:
        yield pool
    finally:
        # pgqueuer does not give its listening connection back when that has died, and close() would wait for it.
        try:
            async with asyncio.timeout(_CLOSING):
                await pool.close()
        except Exception:  # noqa: BLE001 - of no interest any more
            pool.terminate()


class _Manager(QueueManager):
    """pgqueuer's manager, less easily alarmed: its first probe may overtake its own LISTEN and is then lost."""

    async def listener_healthy(self, timeout: timedelta = timedelta(seconds=10)) -> HealthCheckEvent:  # noqa: ASYNC109 - its signature
        try:
            return await super().listener_healthy(timeout / 2)
        except FailingListenerError:
            return await super().listener_healthy(timeout)


class _Worker:
    """One connected life of the worker."""

    def __init__(
        self, state: "State", registry: Registry, pool: "asyncpg.Pool[asyncpg.Record]", restarts: RestartWatch
    ) -> None:
        self.restarts = restarts
        driver = AsyncpgPoolDriver(pool)
        self.queries = WorkerQueries(driver, **query_builders(), closed=lambda: not state.gate.is_up)
        self.queuer = PgQueuer(driver, channel=Channel(CHANNEL), queries=self.queries)
        self.queuer.qm = _Manager(self.queries, Channel(CHANNEL))
        self.queuer.qm.shutdown = self.queuer.shutdown
        crons = [*registry.crons.values(), TRIM]
        slots = asyncio.Semaphore(state.db.options.pool_size)
        for spec in (*registry.jobs.values(), *map(cron_job, crons)):
            self.queuer.qm.register_executor(spec.name, executor_for(state, spec, self.queries, slots))
        schedule_crons(self.queuer, pool, crons, self.queries)

    async def run(self, stop: asyncio.Event, concurrency: int, grace: float) -> None:
        """Work until `stop`; raises what broke the connection."""
        await self.queries.refresh_paused()
        if await self.restarts.is_asked(self.queries.driver):
            stop.set()
        batch = max(1, concurrency // 2)
        running = asyncio.create_task(
            self.queuer.run(
                dequeue_timeout=DEQUEUE_TIMEOUT,
                batch_size=batch,
                max_concurrent_tasks=2 * batch,
                shutdown_on_listener_failure=True,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
            )
        )
        watching = [asyncio.create_task(self._stop_with(stop)), asyncio.create_task(self._follow_wishes(stop))]
        try:
            await self._until_done(running, stop, grace)
        finally:
            self.queuer.shutdown.set()
            for task in watching:
                task.cancel()
            await asyncio.gather(running, *watching, return_exceptions=True)

    async def _until_done(self, running: "asyncio.Task[None]", stop: asyncio.Event, grace: float) -> None:
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not running.done():
            await asyncio.wait({running}, timeout=grace)
        if running.done():
            running.result()
        else:
            # Cancels the jobs; the executor hands them back to the queue.
            running.cancel()

    async def _stop_with(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.queuer.shutdown.set()

    async def _follow_wishes(self, stop: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(_REFRESH_WISHES)
            try:
                await self.queries.refresh_paused()
                if await self.restarts.is_asked(self.queries.driver):
                    log.info("asked to restart: running jobs end, no new ones begin")
                    stop.set()
                    return
            except CONNECTION_ERRORS as error:
                log.warning("pauses and restarts not read", error=type(error).__name__)
