"""Keeps a process's copy of what operators declare fresh, and lets its connections, sockets and cache follow it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import asyncpg

from zena.kit.beside import beside
from zena.kit.db import Raw
from zena.kit.logs import get_logger
from zena.kit.maintenance import Mode, Standing
from zena.operate.maintenance.standing import read
from zena.operate.tuning import knobs
from zena.operate.tuning.store import in_force

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

_EVERY: Final = 0.5
_PATIENCE: Final = 5.0
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Watch:
    """Reads the standing over a connection of its own: a full pool must not keep a process from hearing of it."""

    def __init__(self, state: "State") -> None:
        self._state = state
        self._conn: Raw | None = None
        self._tuned: dict[str, float] = {}

    async def look(self) -> None:
        """Read once, and act on what changed. Without a database what was known last goes on to hold."""
        try:
            async with asyncio.timeout(_PATIENCE):
                if self._conn is None or self._conn.is_closed():
                    self._conn = await self._state.db.direct()
                found, tuned = await read(self._conn), await in_force(self._conn)
        except _AWAY as error:
            log.warning("maintenance not read", error=type(error).__name__)
            await self.close()
            return
        if found != self._state.gate.standing:
            await self._follow(found)
        if tuned != self._tuned:
            self._tune(tuned)

    async def run(self) -> None:
        """Look twice a second until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.look()

    async def close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(*_AWAY):
                await conn.close(timeout=1)

    async def _follow(self, found: Standing) -> None:
        state, before = self._state, self._state.gate.mode
        state.gate.standing = found
        if found.mode is before:
            return
        log.warning("maintenance", mode=str(found.mode), before=str(before))
        await state.db.renew()
        if state.hub is not None:
            state.hub.close(closed=found.mode is Mode.DOWN)

    def _tune(self, tuned: dict[str, float]) -> None:
        log.warning("tuned", before=self._tuned, now=tuned)
        self._tuned = tuned
        self._state.cache.lives = knobs.lives(tuned)
        if self._state.hub is not None:
            self._state.hub.limit(knobs.limits(self._state.settings, tuned))


@asynccontextmanager
async def watching(state: "State") -> AsyncIterator[None]:
    """Follow the declared standing during the block; what stands is known before the first request or job."""
    watch = Watch(state)
    await watch.look()
    try:
        async with beside(watch.run()):
            yield
    finally:
        await watch.close()
