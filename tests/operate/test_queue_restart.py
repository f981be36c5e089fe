"""`zena queue restart` with real workers under their supervisor."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.cli.run import command, variables
from tests.kit.bed import until
from tests.operate.commands import Terminal
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.operate.queue import standing

pytestmark = pytest.mark.proof  # real processes and servers, many times over


@pytest.fixture
def crew(urls: ClusterUrls, tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Two workers and their supervisor."""
    found = variables(
        ZENA_DATA_DIR=tmp_path, ZENA_DATABASE_URL=urls.app, ZENA_DATABASE_OPS_URL=urls.ops, ZENA_ENV="test"
    )
    started = subprocess.Popen(
        command("queue", "work", "--workers", "2", module="zena"), env=found, stderr=subprocess.DEVNULL
    )
    yield started
    started.terminate()
    assert started.wait(60) == Exit.OK


async def test_workers_are_asked_to_leave_and_replaced(
    urls: ClusterUrls, tmp_path: Path, crew: "subprocess.Popen[bytes]"
) -> None:
    ops = await asyncpg.connect(urls.ops)
    await ops.execute("DELETE FROM queue.pgqueuer; DELETE FROM ops.heartbeat")

    async def two() -> set[int] | None:
        pids = {row["pid"] for row in await standing.workers(ops) if row["alive"]}
        return pids if len(pids) == 2 else None

    before = await until(two, 60)
    ran = await Terminal(urls, tmp_path)("queue", "restart", "--wait", "50", "--json")
    assert (ran.code, json.loads(ran.out)) == (Exit.OK, {"asked": 2, "still_there": 0, "new": 2})
    after = await until(two, 10)
    assert not before & after
    assert crew.poll() is None
    await ops.close()
