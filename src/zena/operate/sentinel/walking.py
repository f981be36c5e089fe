"""Who goes: the worker that watches, once a minute, between two of its rounds."""

import time
from typing import TYPE_CHECKING, Final

import asyncpg

from zena.kit.db import Raw, dialled
from zena.kit.logs import get_logger
from zena.kit.maintenance import Mode
from zena.operate.maintenance.standing import read
from zena.operate.sentinel.errand import send
from zena.operate.sentinel.house import Person, person
from zena.operate.sentinel.journey import Journey, address_of, live_of
from zena.operate.sentinel.store import keep
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

#: Seconds between two journeys.
EVERY: Final = 60.0
_PATIENCE: Final = 60.0


class Sentinel:
    """Goes through the installation when it is time. `go` raises nothing: the next time tries again."""

    def __init__(self, state: "State") -> None:
        self._state = state
        self._who: Person | None = None
        self._next = 0.0

    async def go(self) -> None:
        settings = self._state.settings
        if settings.sentinel == "none" or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY * settings.pace
        try:
            async with dialled(settings.dsn(Role.OPS), "zena-sentinel", patience=_PATIENCE) as conn:
                if (await read(conn)).mode is Mode.UP:  # closed on purpose, it would fail on purpose
                    await self._walk(conn)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("nothing was tried: the database does not answer", error=type(error).__name__)
        except Exception:
            log.exception("nothing was tried")

    async def _walk(self, conn: Raw) -> None:
        self._who = await person(self._state, conn, self._who)
        settings = self._state.settings
        sent = await send(self._state, conn)
        outcomes = await Journey(address_of(settings), live_of(settings), settings.public_url, self._who).run()
        outcomes += [sent] if sent is not None else []
        await keep(conn, outcomes, self._state.clock.now())
        for one in outcomes:
            if not one.ok:
                log.warning("the installation does not answer itself", stage=one.stage, says=one.says)
