"""F-03: workers are killed while they claim, work, commit and acknowledge; no job is lost, no effect happens twice."""

import asyncio
import os
import random
import sys
from functools import partial
from typing import Any

import asyncpg
import pytest

from tests.factories import Firm
from tests.kit.bed import drop_effect_table, make_effect_table, until
from zena.kit.db import Database, DatabaseOptions
from zena.kit.embedded import ClusterUrls
from zena.kit.queue import enqueue
from zena.kit.uow import unit_of_work

pytestmark = pytest.mark.proof

KILLS = int(os.environ.get("ZENA_KILLS", "12"))
POINTS = ("claimed", "before commit", "before acknowledging", "never")
DICE = random.Random(3)  # noqa: S311 - when to kill, not a secret


async def test_F03_killed_workers_lose_no_job_and_double_no_effect(urls: ClusterUrls, firm: Firm) -> None:
    await make_effect_table(urls)
    ops = await asyncpg.connect(urls.ops)
    superuser = await asyncpg.connect(urls.superuser)
    await ops.execute("DELETE FROM queue.pgqueuer")
    jobs = 0
    try:
        for life in range(KILLS):
            jobs += await queue_some(urls, firm, jobs, 200)
            before = await picked(ops)
            worker = await start(urls, POINTS[life % len(POINTS)])
            await until(partial(at_work, ops, worker, before), 60)  # a start takes long on a loaded machine
            try:
                await asyncio.wait_for(worker.wait(), DICE.random())
            except TimeoutError:
                worker.kill()
            await worker.wait()
        last = await start(urls, "never")
        await until(lambda: emptied(ops), 60)
        last.terminate()
        assert await last.wait() == 0
        happened = "SELECT count(DISTINCT key) AS once, count(*) AS effects FROM effect WHERE tenant_id = $1"
        assert tuple(await superuser.fetchrow(happened, firm.tenant)) == (jobs, jobs)
        runs = await picked(ops)
        assert runs > jobs, "nothing was ever run twice: the kills hit nothing"
        print(f"{jobs} jobs, {runs} runs, {KILLS} kills")
    finally:
        await ops.close()
        await superuser.close()
        await drop_effect_table(urls)


async def queue_some(urls: ClusterUrls, firm: Firm, first: int, count: int) -> int:
    db = Database(DatabaseOptions(url=urls.app))
    async with unit_of_work(db) as session:
        for number in range(first, first + count):
            await enqueue(session, firm.tenant, "probe.effect", number=number)
    await db.stop()
    return count


async def start(urls: ClusterUrls, point: str) -> Any:
    module = ["-m", "tests.faults.queue_worker", urls.app, point]
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(sys.executable, *module, stdout=quiet, stderr=quiet)


async def picked(ops: Any) -> int:
    return int(await ops.fetchval("SELECT count(*) FROM queue.pgqueuer_log WHERE status = 'picked'"))


async def at_work(ops: Any, worker: Any, before: int) -> bool:
    return worker.returncode is not None or await picked(ops) > before


async def emptied(ops: Any) -> bool:
    return not await ops.fetchval("SELECT count(*) FROM queue.pgqueuer")
