"""Orders of the console are carried out by the workers: apart from the queue, which may be what is ill."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from zena.kit.beside import beside
from zena.kit.db import PoolExhaustedError, Raw, dialled
from zena.kit.logs import get_logger
from zena.operate.orders import book
from zena.operate.orders.doing import Done, do
from zena.operate.remedies.runner import Hand
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

#: Seconds between two looks at the book; every so many, those whose worker is gone are looked for.
_EVERY: Final = 1.0
_GONE_EVERY: Final = 10
#: So many orders one worker carries out at once: one that is measured for minutes keeps no other waiting.
_MOST: Final = 4
_TELL_EVERY: Final = 0.5
#: A statement of a remedy may take so long, seconds; building an index has its own limit.
_PATIENCE: Final = 120.0
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, PoolExhaustedError)


class Carrier:
    """Takes up orders as long as its worker lives."""

    def __init__(self, state: "State") -> None:
        self._state = state
        self._busy = 0

    async def run(self) -> None:
        """Carry out orders until cancelled."""
        async with asyncio.TaskGroup() as group:
            turn = 0
            while True:
                waiting, running = await self._standing()
                if self._busy < _MOST and (waiting or (running and turn % _GONE_EVERY == 0)):
                    self._busy += 1
                    group.create_task(self._next())
                turn += 1
                await asyncio.sleep(_EVERY)

    async def _standing(self) -> tuple[bool, bool]:
        reading = self._state.reading
        if reading is None:
            return False, False
        try:
            async with reading.lend() as conn:
                return await book.standing(conn)
        except _AWAY:
            return False, False  # who watches says so

    async def _next(self) -> None:
        """Carry out the oldest order, if another worker has not taken it."""
        try:
            async with self._dialled() as conn:
                for gone in await book.finish_interrupted(conn):
                    log.warning("an order of the console was interrupted", order=gone)
                order = await book.take(conn)
                if order is not None:
                    await self._carry(conn, order)
        except _AWAY as error:
            log.warning("an order of the console could not be carried out", error=type(error).__name__)
        finally:
            self._busy -= 1

    async def _carry(self, conn: Raw, order: Mapping[str, Any]) -> None:
        lines: list[str] = []
        settings = self._state.settings
        hand = Hand(conn, settings, self._state.clock, order["actor"], lines.append, settings.pace)
        async with beside(self._tell(order["id"], lines)):
            try:
                done = await do(hand, order)
            except Exception as error:
                if conn.is_closed():
                    raise
                log.exception("an order of the console failed", order=order["id"])
                done = Done("refused", f"it failed with {type(error).__name__}: the log of the worker says where")
        await book.end(conn, order["id"], done.state, done.says, lines, done.plan)
        log.info("an order of the console was carried out", order=order["id"], kind=order["kind"], state=done.state)

    async def _tell(self, order: int, lines: list[str]) -> None:
        """Write what there is to tell while it is done, over a connection of its own."""
        told = 0
        while True:
            await asyncio.sleep(_TELL_EVERY)
            if len(lines) == told:
                continue
            told = len(lines)
            try:
                async with self._dialled() as conn:
                    await book.tell(conn, order, lines)
            except _AWAY:
                continue  # the end of it tells all lines

    @asynccontextmanager
    async def _dialled(self) -> AsyncIterator[Raw]:
        async with dialled(self._state.settings.dsn(Role.OPS), "zena-orders", patience=_PATIENCE) as conn:
            yield conn


@asynccontextmanager
async def carrying(state: "State") -> AsyncIterator[None]:
    """Carry out orders of the console during the block; not where this process has not been given the roles for it."""
    if state.settings.secret_url(Role.OPS) is None or state.reading is None:
        log.warning("orders of the console are not taken up: this wants ZENA_DATABASE_OPS_URL and _OPS_READ_URL")
        yield
        return
    async with beside(Carrier(state).run()):
        yield
