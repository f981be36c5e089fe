"""`zena import` is killed wherever it is, and its database under it: a file comes in whole or not at all."""

import asyncio
import os
import random
import signal
import time
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.faults.clients import APP
from tests.faults.installation import PATIENCE, Installation, found_firm, installed, operations, wait
from tests.kit.bed import until
from zena.kit.embedded.running import read_state
from zena.work.checks import CHECKS

pytestmark = pytest.mark.proof

ROWS = 2_000
KILLS = 60 if os.environ.get("ZENA_FULL_SIZE") else 6
_BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


async def test_a_killed_import_leaves_all_or_nothing() -> None:
    with installed() as site:
        site.start()
        (token,) = await found_firm(site, 1)
        plan = site.folder / "plan.csv"
        lines = (f"{n},Task {n},{n // 10 * 10 if n % 10 else ''},{n % 7}" for n in range(1, ROWS + 1))
        plan.write_text("Ref,Name,Parent,Estimate\n" + "\n".join(line.replace(",0,", ",,") for line in lines))
        async with httpx.AsyncClient(base_url=site.url, headers={"authorization": f"Bearer {token}"}) as http:
            told = [await one(site, http, number) for number in range(KILLS)]
        print(f"{KILLS} imports killed; tasks that came of each: {told}")
        assert 0 in told
        ops = await operations(site)
        tenant = await ops.fetchval("SELECT id FROM tenant")
        for check in CHECKS:
            assert await ops.fetch(check.sql, tenant) == [], check.name
        head = await ops.fetchval("SELECT position FROM tenant_head")
        assert await ops.fetchval("SELECT count(*) FROM event") == head
        await ops.close()
        assert await asyncio.to_thread(site.stop) == 0


async def one(site: Installation, http: httpx.AsyncClient, number: int) -> int:
    """Kill one import into a project of its own; what it left is whole, and an import afterwards works."""
    key = f"P{number}"
    project = UUID((await http.post(f"{APP}/projects", json={"name": key, "key": key})).json()["id"])
    if number % 3 == 2:
        await killed_at_random(site, key, random.Random(number))  # noqa: S311 - when to kill, the same in each run
    else:
        await killed_inside(site, key, with_database=number % 3 == 1)
    ops = await operations(site)
    try:
        await until(lambda: is_quiet(ops), PATIENCE)
        tasks = await ops.fetchval("SELECT count(*) FROM task WHERE project_id = $1", project)
        counted = await ops.fetchval("SELECT sum(backlog) FROM project_stats WHERE project_id = $1", project)
        assert (tasks in {0, ROWS}, counted) == (True, tasks)
        if tasks == 0:
            await completed(site, key)
            assert await ops.fetchval("SELECT count(*) FROM task WHERE project_id = $1", project) == ROWS
    finally:
        await ops.close()
    return int(tasks)


async def killed_at_random(site: Installation, key: str, dice: random.Random) -> None:
    started = time.monotonic()
    await completed(site, key, "--dry-run")
    running = importing(site, key)
    await asyncio.sleep(dice.uniform(0.3, 1.0) * (time.monotonic() - started))
    running.kill()
    await asyncio.to_thread(running.wait, PATIENCE)


async def killed_inside(site: Installation, key: str, *, with_database: bool) -> None:
    """Kill it where it has written part of the tasks for sure: the counters, which come last, are held by us."""
    holder = await asyncpg.connect(site.urls().superuser, timeout=20)
    try:
        await holder.execute("BEGIN")
        await holder.execute("LOCK TABLE tenant_head IN SHARE MODE")
        running = importing(site, key)
        await until(lambda: waits(holder), PATIENCE)
        state = read_state(site.data)
        assert state is not None
        running.kill()
        if with_database:
            os.kill(state.pid, signal.SIGKILL)
        await asyncio.to_thread(running.wait, PATIENCE)
    finally:
        holder.terminate()
    if with_database:
        back = await asyncio.to_thread(
            wait, lambda: (now := read_state(site.data)) and now.pid != state.pid, lambda: "no new database"
        )
        assert back
    await asyncio.to_thread(site.wait_until_up)


def importing(site: Installation, key: str, *more: str) -> Any:
    return site.command("import", "plan.csv", "--project", key, *more)


async def completed(site: Installation, key: str, *more: str) -> None:
    assert await asyncio.to_thread(importing(site, key, *more).wait, PATIENCE) == 0, site.said[-3000:]


async def waits(holder: Any) -> bool:
    return bool(await holder.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def is_quiet(ops: Any) -> bool:
    """No transaction of anybody's is open: what was killed has been rolled back, or has been committed after all."""
    return not await ops.fetchval(_BUSY)
