"""The database is away: who watches cannot write then, and tells it afterwards."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from zena.kit.embedded.running import read_state
from zena.operate.lab.contract import Fault
from zena.operate.lab.place import NotALab, Place

#: So often it dies, and so long people find it back in between, seconds.
_TIMES, _BETWEEN = 4, 1.5
_BACK, _PAUSE = 60.0, 0.2


@asynccontextmanager
async def _dies(place: Place) -> AsyncIterator[None]:
    """The server is ended at once, as by its machine that is short of memory; its supervisor starts it again."""
    for _ in range(_TIMES):
        state = read_state(place.data_dir)
        if state is None:
            raise NotALab(f"no embedded database runs in {place.data_dir}")
        with suppress(ProcessLookupError):
            os.kill(state.pid, signal.SIGQUIT)
        await asyncio.sleep(_BETWEEN)
        await _back(place)
    yield


async def _back(place: Place) -> None:
    for _ in range(int(_BACK / _PAUSE)):
        if await _answers(place):
            return
        await asyncio.sleep(_PAUSE)


async def _answers(place: Place) -> bool:
    try:
        return bool(await place.value("SELECT true"))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


FAULTS: Final = (
    Fault("database-dies", "the database dies again and again", "A2", "database_away",
          also=frozenset({"A1", "B1", "B2", "D1", "Q1", "Q2", "U1", "W2", "X1"}), broken=_dies),
)  # fmt: skip
