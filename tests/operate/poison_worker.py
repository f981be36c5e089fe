"""A worker that knows one job, and dies of it as if the machine had run out of memory. poison_worker.py URL"""

import asyncio
import os
import signal
import sys

from tests.kit.bed import worker_state
from zena.kit.db import Database, DatabaseOptions
from zena.kit.queue import JobWork
from zena.kit.queue.worker import run_worker
from zena.kit.registry import JobSpec, Registry

DIED = 9


async def die(job: JobWork) -> None:
    os._exit(DIED)


async def main(url: str) -> None:
    stop, registry = asyncio.Event(), Registry()
    registry.job(JobSpec("test.poison", die, attempts=2))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    db = Database(DatabaseOptions(url=url))
    await db.start()
    await run_worker(worker_state(db), registry, stop)
    await db.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
