"""Who watches: one of the workers, as long as it renews its lease. One that froze finds on waking who leads now."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg

from zena.kit.beside import beside
from zena.kit.changes import record
from zena.kit.db import Raw, dialled
from zena.kit.ids import new_id
from zena.kit.logs import get_logger
from zena.operate.symptoms.catalogue import SYMPTOMS
from zena.operate.symptoms.contract import Look
from zena.operate.watch.rounds import look_around
from zena.operate.watch.states import EVERY
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

#: A lease outlives so many rounds that did not take place.
_ROUNDS: Final = 3
#: A connection that broke is dialled anew after one round: what lasts for two is an outage.
_OUTAGE: Final = 2
_PATIENCE: Final = 5
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_LEASE: Final = """
INSERT INTO ops.lease (name, holder, until) VALUES ('watch', $1, now() + $2)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
 WHERE lease.holder = excluded.holder OR lease.until < now() RETURNING true
"""
_GIVE_UP: Final = "DELETE FROM ops.lease WHERE name = 'watch' AND holder = $1"


Beside = Callable[[], Coroutine[Any, Any, None]]
#: Ends runs of remedies whose process is gone, and returns by their numbers what they left.
Finish = Callable[[Look], Coroutine[Any, Any, dict[int, str]]]


class Leader:
    """Looks around every fifteen seconds while it holds the lease, and else waits for it to become free.

    What is given as `beside` is begun after each round, unless it is still under way; it raises nothing.
    """

    def __init__(self, state: "State", finish: Finish, *beside: Beside) -> None:
        self._state, self._finish, self._beside = state, finish, beside
        self._me: UUID = new_id()
        self._leads = False
        self._begun: dict[Beside, asyncio.Task[None]] = {}
        self._away: datetime | None = None  # since when the database has not answered

    async def run(self) -> None:
        """Watch until cancelled, over a connection of its own that is dialled anew when it breaks."""
        try:
            while True:
                try:
                    async with dialled(self._state.settings.dsn(Role.OPS), "zena-watch", patience=_PATIENCE) as conn:
                        await self._rounds(conn)
                except _AWAY as error:
                    self._away = self._away or self._state.clock.now()
                    log.warning("not watching: the database does not answer", error=type(error).__name__)
                except Exception:  # a fault of ours must not end all watching until the next start
                    log.exception("not watching")
                await self._sleep()
        finally:
            for task in self._begun.values():
                task.cancel()
            if self._begun:
                await asyncio.wait(self._begun.values())
            with suppress(*_AWAY):
                await self._give_up()

    async def _rounds(self, conn: Raw) -> None:
        began = self._state.clock.now()
        while True:
            for symptom in SYMPTOMS:
                if not await self._renew(conn):  # before each look: a slow round must not outlive the lease
                    break
                await look_around(self._look(conn), [symptom])
            if self._leads:
                await self._tell_outage(conn, began)
                self._away = None  # told: not once more, should the connection break in what follows
                for run, says in (await self._finish(self._look(conn))).items():
                    log.warning("a remedy was interrupted", run=run, says=says)
                self._begin_beside()
            self._away = None
            await self._sleep()

    def _begin_beside(self) -> None:
        for work in self._beside:
            if work not in self._begun or self._begun[work].done():
                self._begun[work] = asyncio.create_task(work())

    async def _tell_outage(self, conn: Raw, back: datetime) -> None:
        """Write down that nobody could watch: what failed meanwhile is counted by those who kept it."""
        if self._away is not None and back - self._away >= timedelta(seconds=EVERY * _OUTAGE * self._pace):
            seconds = (back - self._away).total_seconds()
            what = f"the database did not answer from {self._away:%H:%M:%S} for {seconds:.0f} s: nothing was watched"
            await record(conn, "maintenance", what, actor="watch")

    def _look(self, conn: Raw) -> Look:
        return Look(conn, self._state.settings, self._state.clock.now(), self._pace)

    async def _renew(self, conn: Raw) -> bool:
        """Take or keep the lease; False while it is another's."""
        leads = bool(await conn.fetchval(_LEASE, self._me, timedelta(seconds=EVERY * _ROUNDS * self._pace)))
        if leads != self._leads:
            self._leads = leads
            log.info("this worker watches" if leads else "another worker watches")
        return leads

    async def _sleep(self) -> None:
        await asyncio.sleep(EVERY * self._pace)

    async def _give_up(self) -> None:
        """Let the next one begin at once."""
        if self._leads:
            async with dialled(self._state.settings.dsn(Role.OPS), "zena-watch", patience=_PATIENCE) as conn:
                await conn.execute(_GIVE_UP, self._me)

    @property
    def _pace(self) -> float:
        return self._state.settings.pace


@asynccontextmanager
async def leading(state: "State", finish: Finish, *work: Beside) -> AsyncIterator[None]:
    """Watch, or stand ready to, during the block; not at all where this process has not been given the role for it."""
    if state.settings.secret_url(Role.OPS) is None or not state.settings.telemetry:
        log.warning("symptoms are not watched: this wants ZENA_DATABASE_OPS_URL and ZENA_TELEMETRY")
        yield
        return
    async with beside(Leader(state, finish, *work).run()):
        yield
