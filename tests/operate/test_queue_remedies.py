"""Held jobs: which failures are the same, retried without a storm, discarded with a copy, parked when they kill."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.cli.run import ROOT, variables
from tests.kit.bed import until, worker_state
from tests.operate.poison_worker import DIED
from zena.kit.db import Database, DatabaseOptions
from zena.kit.embedded import ClusterUrls
from zena.kit.queue import JobWork, PostponeJob
from zena.kit.queue.enqueue import insert_jobs
from zena.kit.queue.failures import Failure, discard, failures, fingerprint_of, hold, requeue
from zena.kit.queue.restart import ask_restart
from zena.kit.queue.worker import run_worker
from zena.kit.registry import JobSpec, Registry
from zena.operate.queue.retrying import Busy, retry

pytestmark = pytest.mark.proof  # real processes and servers, many times over

KIND = "test.remedy"


class Bench:
    """One kind of job that fails as long as `broken` says how, and a worker once `work` is called."""

    def __init__(self) -> None:
        self.broken: BaseException | None = ValueError("row 17 of 'a' is bad")
        self.ran: list[int] = []
        self.registry = Registry()
        self.registry.job(JobSpec(KIND, self._run, attempts=1))

    async def _run(self, job: JobWork) -> None:
        self.ran.append(job.job_id)
        if self.broken is not None:
            raise self.broken


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(urls.ops)
    await connection.execute("DELETE FROM queue.pgqueuer")
    yield connection
    await connection.execute("DELETE FROM queue.pgqueuer")
    await connection.close()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
async def work(urls: ClusterUrls, bench: Bench) -> AsyncIterator[Callable[[], "asyncio.Task[None]"]]:
    db, stop = Database(DatabaseOptions(url=urls.app)), asyncio.Event()
    await db.start()
    tasks: list[asyncio.Task[None]] = []

    def start() -> "asyncio.Task[None]":
        tasks.append(asyncio.create_task(run_worker(worker_state(db), bench.registry, stop)))
        return tasks[-1]

    yield start
    stop.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 20)
    await db.stop()


async def put(ops: Any, count: int = 1, **options: Any) -> list[int]:
    async with ops.transaction():
        return [job for job in await insert_jobs(ops, KIND, [None] * count, **options) if job is not None]


async def all_held(ops: Any, count: int) -> list[Failure]:
    async def look() -> list[Failure] | None:
        found = await failures(ops, kind=KIND)
        return found if len(found) == count else None

    found: list[Failure] = await until(look)
    return found


def test_failures_are_the_same_whatever_their_numbers_names_and_lines() -> None:
    trace = 'File "{}/zena/work/jobs.py", line {}, in send\nFile "/x/zena/kit/queue/executor.py", line 9, in _run'
    one = fingerprint_of("KeyError", f"task 17 of {uuid4()} isn't 'open' at 0x7f12", trace.format("/opt/a", 3))
    two = fingerprint_of("KeyError", f"task 4 of {uuid4()} isn't 'done' at 0x7f99\nmore", trace.format("/srv/b", 88))
    assert one == two
    assert one[1] == "work/jobs.py:send"
    again = fingerprint_of("RetryRequested", f"KeyError: task 5 of {uuid4()} isn't 'x' at 0x1", trace.format("/c", 1))
    assert again == one
    assert fingerprint_of("ValueError", "task 17", "")[0] != fingerprint_of("KeyError", "task 17", "")[0]
    foreign = fingerprint_of(
        "E", "", 'File "/srv/zena/lib/asyncpg/x.py", line 1, in f\nFile "/y/other.py", line 2, in g'
    )
    assert foreign[1] is None


async def test_a_retry_stops_at_the_first_that_fails_again_and_ends_once_it_is_mended(
    ops: Any, bench: Bench, work: Callable[[], Any]
) -> None:
    work()
    jobs = await put(ops, 18)
    held = await all_held(ops, 18)
    assert {one.starts for one in held} == {1}
    assert len({one.fingerprint for one in held}) == 1
    bench.ran.clear()
    [stopped] = await retry(ops, held, patience=10, tell=lambda _: None)
    assert (stopped.retried, stopped.failed, stopped.left) == (1, 1, 17)
    assert stopped.stopped == "a job failed again in the same way"
    assert bench.ran == [min(jobs)]
    bench.broken = TypeError("new")
    [other] = await retry(ops, await all_held(ops, 18), patience=10, tell=lambda _: None)
    assert "in another way" in (other.stopped or "")
    bench.broken = None
    waves: list[str] = []
    found = await retry(ops, await all_held(ops, 18), patience=10, tell=waves.append)
    assert sum(group.done for group in found) == 18
    assert [group.stopped for group in found] == [None, None]
    assert [line.partition(": ")[2] for line in waves if "of 17" in line] == [
        "1 of 17 queued again",
        "11 of 17 queued again",
        "16 of 17 queued again",
        "17 of 17 queued again",
    ]
    assert await ops.fetchval("SELECT count(*) FROM queue.pgqueuer") == 0


async def test_one_retry_at_a_time_and_one_that_postpones_itself_has_not_failed(
    ops: Any, urls: ClusterUrls, bench: Bench, work: Callable[[], Any]
) -> None:
    [job] = await put(ops)
    await hold(ops, "later", ids=[job])
    bench.broken = PostponeJob(timedelta(hours=1), "not yet")
    second = await asyncpg.connect(urls.ops)
    held = await all_held(ops, 1)
    assert (held[0].error, held[0].message) == ("HeldByOperator", "later")
    first = asyncio.create_task(retry(ops, held, patience=15, tell=lambda _: None))
    await until(lambda: second.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid > 0"))
    with pytest.raises(Busy):
        await retry(second, held, patience=1, tell=lambda _: None)
    await second.close()
    work()
    [group] = await first
    assert (group.done, group.failed, group.stopped) == (1, 0, None)


async def test_what_does_not_end_in_time_is_told_and_the_rest_stays_held(ops: Any) -> None:
    jobs = await put(ops, 3)
    await hold(ops, "x", kind=KIND)
    [group] = await retry(ops, await all_held(ops, 3), patience=0.3, tell=lambda _: None)
    assert (group.out_of_time, group.left, group.running) == (True, 2, 1)
    assert f"why job {min(jobs)}" in (group.stopped or "")


async def test_a_held_job_whose_twin_waits_is_not_queued_twice(ops: Any) -> None:
    [job] = await put(ops, dedupe_key="one")
    assert await hold(ops, "x", ids=[job]) == 1
    [twin] = await put(ops, dedupe_key="one")
    assert await requeue(ops, job) is None
    assert await hold(ops, "x", ids=[twin]) == 1
    assert await requeue(ops, job) is not None
    assert await requeue(ops, job) is None


async def test_discarding_leaves_a_copy_and_without_one_nothing_is_deleted(ops: Any, tmp_path: Path) -> None:
    jobs = await put(ops, 3)
    await ops.execute("UPDATE queue.pgqueuer SET payload = '\\xff00'::bytea WHERE id = $1", jobs[0])
    await hold(ops, "x", ids=jobs[:2])
    assert {"unreadable": "ff00"} in [one.arguments for one in await failures(ops, kind=KIND)]
    copy = tmp_path / "deep" / "copy.jsonl"
    assert await discard(ops, jobs, copy) == 2  # the third waits, and is left alone
    rows = [json.loads(line) for line in copy.read_text().splitlines()]
    assert [row["id"] for row in rows] == jobs[:2]
    assert rows[0]["payload"] == "\\xff\x00"
    assert copy.stat().st_mode & 0o777 == 0o600
    await hold(ops, "x", ids=jobs[2:])
    with pytest.raises(FileExistsError):
        await discard(ops, jobs, copy)
    assert [one.id for one in await failures(ops, kind=KIND)] == jobs[2:]


async def test_secrets_in_errors_and_arguments_are_masked(ops: Any) -> None:
    [job] = await put(ops, ids={"token": "abc", "task": 4})
    await hold(ops, "https://zena:hunter2@mail refused password=hunter2", ids=[job])
    [found] = await failures(ops, ids=[job])
    assert found.arguments == {"token": "***", "task": 4}
    assert "hunter2" not in found.message


async def test_a_worker_that_is_asked_to_restart_ends_its_job_and_leaves(
    ops: Any, bench: Bench, work: Callable[[], "asyncio.Task[None]"]
) -> None:
    bench.broken = None
    await ask_restart(ops)  # before it began: does not concern it
    task = work()
    await put(ops)
    await until(lambda: asyncio.sleep(0, bench.ran))
    assert not task.done()
    await ask_restart(ops)
    await asyncio.wait_for(asyncio.shield(task), 10)


async def test_F03_a_job_that_kills_its_workers_is_parked(ops: Any, urls: ClusterUrls) -> None:
    async with ops.transaction():
        [job] = await insert_jobs(ops, "test.poison", [None])
    command = [sys.executable, "-m", "tests.operate.poison_worker", urls.app]

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(command, env=variables(), cwd=ROOT, stderr=subprocess.DEVNULL)

    for _ in range(2):
        assert await asyncio.to_thread(start().wait, 30) == DIED
        await ops.execute("UPDATE queue.pgqueuer SET heartbeat = now() - interval '1 minute'")
    last = start()
    try:
        [found] = await until(lambda: failures(ops, kind="test.poison"), 30)
        assert last.poll() is None
        assert (found.id, found.starts) == (job, 3)
        assert "was started 2 times and never finished" in found.message
    finally:
        last.terminate()
        assert await asyncio.to_thread(last.wait, 30) == 0
