"""Asking the workers to be replaced, and watching it happen."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from zena.kit.changes import record
from zena.kit.db import Raw
from zena.kit.queue.restart import ask_restart
from zena.operate.queue.standing import workers

_LOOK: Final = 0.5


@dataclass(frozen=True, slots=True)
class Replaced:
    """How far it came: workers of before that are still there, and new ones that are alive."""

    asked: int
    still_there: int
    new: int

    @property
    def done(self) -> bool:
        return self.still_there == 0 and self.new >= self.asked


async def ask(conn: Raw) -> set[UUID]:
    """Ask all workers to end and be replaced; return those that are alive now."""
    before = {worker["process"] for worker in await workers(conn) if worker["alive"]}
    await ask_restart(conn)
    await record(conn, "maintenance", "queue restart", after={"workers": len(before)})
    return before


async def watch(conn: Raw, before: set[UUID], until: float) -> Replaced:
    """Wait until everybody of before is gone and as many are new; until a time of the monotonic clock at most."""
    while True:
        alive = {worker["process"] for worker in await workers(conn) if worker["alive"]}
        found = Replaced(len(before), len(alive & before), len(alive - before))
        if found.done or time.monotonic() >= until:
            return found
        await asyncio.sleep(_LOOK)
