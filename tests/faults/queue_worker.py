"""A worker that dies: `python -m tests.faults.queue_worker URL POINT`. POINT is where it kills itself, or `never`."""

import asyncio
import os
import random
import signal
import sys

from sqlalchemy import text

from tests.kit.bed import worker_state
from zena.kit.db import Database, DatabaseOptions
from zena.kit.queue import JobWork
from zena.kit.queue.worker import run_worker
from zena.kit.registry import JobSpec, Registry

#: Chance that a job is the one at which the worker dies.
CHANCE = 0.05

_EFFECT = text("INSERT INTO effect (tenant_id, key) VALUES (:tenant, :key) ON CONFLICT DO NOTHING")


def die_at(point: str) -> None:
    if point == sys.argv[2] and random.random() < CHANCE:  # noqa: S311 - when to die, not a secret
        os.kill(os.getpid(), signal.SIGKILL)


async def make_effect(work: JobWork, *, number: int) -> None:
    """One effect per number, by its unique key."""
    die_at("claimed")
    async with work.transaction() as (session, scope):
        await session.execute(_EFFECT, {"tenant": scope.tenant, "key": str(number)})
        die_at("before commit")
    die_at("before acknowledging")


async def main() -> None:
    db = Database(DatabaseOptions(url=sys.argv[1]))
    await db.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    registry = Registry()
    registry.job(JobSpec("probe.effect", make_effect, attempts=1_000))
    await run_worker(worker_state(db), registry, stop)
    await db.stop()


if __name__ == "__main__":
    asyncio.run(main())
