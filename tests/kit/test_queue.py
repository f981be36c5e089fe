"""The queue: with the change or not at all, tenant bound per job, retried, held, paused, scheduled once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from tests.factories import Firm
from tests.kit.bed import drop_effect_table, make_effect_table, until, worker_state
from zena.kit.db import Database, DatabaseOptions
from zena.kit.embedded import ClusterUrls
from zena.kit.queue import JobWork, PostponeJob, RejectJob, admin, crons, enqueue
from zena.kit.queue.executor import retry_delay
from zena.kit.queue.failures import failures, requeue
from zena.kit.queue.schema import queue_settings
from zena.kit.queue.worker import run_worker
from zena.kit.registry import CronSpec, JobSpec, Registry
from zena.kit.uow import unit_of_work


@pytest.fixture(scope="module")
async def effects(urls: ClusterUrls) -> AsyncIterator[None]:
    await make_effect_table(urls)
    yield
    await drop_effect_table(urls)


@pytest.fixture
async def db(urls: ClusterUrls) -> AsyncIterator[Database]:
    made = Database(DatabaseOptions(url=urls.app))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(urls.ops)
    await connection.execute("DELETE FROM queue.pgqueuer")
    yield connection
    await connection.close()


@pytest.fixture
def tenant(firm: Firm) -> UUID:
    return firm.tenant


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
async def work(db: Database, registry: Registry) -> AsyncIterator[Callable[[], None]]:
    """Call it to start a worker once the jobs are registered."""
    stop = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    def start() -> None:
        tasks.append(asyncio.create_task(run_worker(worker_state(db), registry, stop)))

    yield start
    stop.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 20)


async def queued(ops: Any) -> list[str]:
    return [row["entrypoint"] for row in await ops.fetch("SELECT entrypoint FROM queue.pgqueuer ORDER BY id")]


async def test_a_rolled_back_transaction_leaves_no_job(db: Database, ops: Any, tenant: UUID) -> None:
    async def fail_after_queueing() -> None:
        async with unit_of_work(db) as session:
            await enqueue(session, tenant, "work.once", task_id=tenant)  # the very first statement of the session
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_queueing()
    assert await queued(ops) == []


async def test_a_committed_transaction_leaves_its_job_with_tenant_and_ids_only(
    db: Database, ops: Any, tenant: UUID
) -> None:
    async with unit_of_work(db) as session:
        job_id = await enqueue(session, tenant, "work.once", task_id=tenant, count=3, kind="x")
    job = await admin.show(ops, job_id or 0)
    assert job is not None
    assert job["tenant"] == str(tenant)
    assert job["arguments"] == {"task_id": str(tenant), "count": 3, "kind": "x"}


@pytest.mark.parametrize("value", [True, 1.5, b"x", None, ["a"], {"a": 1}, "x" * 201])
async def test_I02_arguments_that_are_no_ids_are_refused(db: Database, ops: Any, tenant: UUID, value: Any) -> None:
    with pytest.raises(TypeError, match="ids only"):
        async with unit_of_work(db) as session:
            await enqueue(session, tenant, "work.once", value=value)
    assert await queued(ops) == []


async def test_I02_the_app_role_cannot_read_what_jobs_carry(db: Database) -> None:
    for forbidden in (
        "SELECT payload FROM queue.pgqueuer",
        "SELECT headers FROM queue.pgqueuer",
        "SELECT * FROM queue.pgqueuer_log",
        "DELETE FROM queue.pgqueuer",
        "UPDATE queue.pgqueuer SET priority = 1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.pool.execute(forbidden)


async def test_a_dedupe_key_keeps_one_job_per_tenant(db: Database, ops: Any, tenant: UUID, stranger: Firm) -> None:
    async with unit_of_work(db) as session:
        assert await enqueue(session, tenant, "work.once", dedupe_key="k")
        assert await enqueue(session, tenant, "work.once", dedupe_key="k") is None
        assert await enqueue(session, stranger.tenant, "work.once", dedupe_key="k")
    assert len(await queued(ops)) == 2


@pytest.mark.usefixtures("effects")
async def test_a_job_runs_in_its_tenant_and_commits_with_it(
    db: Database, ops: Any, tenant: UUID, registry: Registry, work: Callable[[], None]
) -> None:
    seen: list[Any] = []

    async def run(job: JobWork, *, task_id: UUID) -> None:
        async with job.transaction() as (session, scope):
            await session.execute(text("INSERT INTO effect VALUES (:t, 'a')"), {"t": scope.tenant})
            seen.append((scope.tenant, scope.role, scope.permissions, task_id, job.attempt))

    registry.job(JobSpec("work.effect", run))
    async with unit_of_work(db) as session:
        await enqueue(session, tenant, "work.effect", task_id=tenant)
    work()
    await until(lambda: ops.fetchval("SELECT count(*) FROM effect WHERE tenant_id = $1", tenant))
    assert seen == [(tenant, "system", frozenset(), tenant, 1)]
    await until(lambda: _empty(ops))


async def test_I01_a_job_without_tenant_gets_no_transaction_and_is_held(
    db: Database, ops: Any, registry: Registry, work: Callable[[], None]
) -> None:
    async def run(job: JobWork) -> None:
        async with job.transaction():
            pytest.fail("opened without a tenant")

    registry.job(JobSpec("work.lost", run, attempts=1))
    async with unit_of_work(db) as session:
        await enqueue(session, None, "work.lost")
    work()
    held = await until(lambda: failures(ops))
    assert "without a tenant" in held[0].message


async def test_a_failing_job_is_retried_then_held_and_can_be_retried_by_an_operator(
    db: Database,
    ops: Any,
    tenant: UUID,
    registry: Registry,
    work: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts: list[int] = []

    async def run(job: JobWork) -> None:
        attempts.append(job.attempt)
        if len(attempts) < 3:
            raise ValueError("no")

    registry.job(JobSpec("work.flaky", run, attempts=2))
    async with unit_of_work(db) as session:
        job_id = await enqueue(session, tenant, "work.flaky")
    work()
    held = await until(lambda: failures(ops))
    assert (attempts, held[0].error, held[0].tenant) == ([1, 2], "ValueError", str(tenant))
    assert [line for line in caplog.records if line.name == "pgqueuer" and line.exc_info] == [], "it is told once"
    assert await requeue(ops, job_id or 0)
    await until(lambda: _empty(ops))
    assert attempts == [1, 2, 1]


async def test_postponing_costs_no_attempt_and_rejecting_holds_at_once(
    db: Database, ops: Any, tenant: UUID, registry: Registry, work: Callable[[], None]
) -> None:
    attempts: list[int] = []

    async def later(job: JobWork) -> None:
        attempts.append(job.attempt)
        if len(attempts) < 4:
            raise PostponeJob(timedelta(milliseconds=10), "not yet")
        raise RejectJob("never")

    registry.job(JobSpec("work.later", later, attempts=2))
    async with unit_of_work(db) as session:
        await enqueue(session, tenant, "work.later")
    work()
    held = await until(lambda: failures(ops))
    assert (attempts, held[0].message) == ([1, 1, 1, 1], "never")


async def test_F03_a_job_that_kills_its_worker_is_parked_after_its_attempts(
    db: Database, ops: Any, tenant: UUID, registry: Registry, work: Callable[[], None]
) -> None:
    started: list[int] = []

    async def run(job: JobWork) -> None:
        started.append(job.attempt)

    registry.job(JobSpec("work.poison", run, attempts=5))
    async with unit_of_work(db) as session:
        job_id = await enqueue(session, tenant, "work.poison")
    # five workers took it and died: picked, never ended, heartbeat gone
    await ops.execute("UPDATE queue.pgqueuer SET status = 'picked', heartbeat = now() - interval '1 hour'")
    log = (
        "INSERT INTO queue.pgqueuer_log (job_id, status, priority, entrypoint) VALUES ($1, 'picked', 0, 'work.poison')"
    )
    for _ in range(5):
        await ops.execute(log, job_id)
    work()
    held = await until(lambda: failures(ops))
    assert "started 5 times and never finished" in held[0].message
    assert started == []
    assert await requeue(ops, job_id or 0)
    await until(lambda: _empty(ops))
    assert started == [1]


async def test_a_job_has_a_time_limit(
    db: Database, ops: Any, tenant: UUID, registry: Registry, work: Callable[[], None]
) -> None:
    async def run(job: JobWork) -> None:
        await asyncio.sleep(30)

    registry.job(JobSpec("work.slow", run, attempts=1, timeout=0.1))
    async with unit_of_work(db) as session:
        await enqueue(session, tenant, "work.slow")
    work()
    assert (await until(lambda: failures(ops)))[0].error == "TimeoutError"


async def test_a_stopped_worker_gives_its_job_back(db: Database, ops: Any, tenant: UUID, registry: Registry) -> None:
    started = asyncio.Event()

    async def run(job: JobWork) -> None:
        started.set()
        await asyncio.sleep(60)

    registry.job(JobSpec("work.long", run))
    stop = asyncio.Event()
    async with unit_of_work(db) as session:
        await enqueue(session, tenant, "work.long")
    task = asyncio.create_task(run_worker(worker_state(db), registry, stop, grace=0.2))
    await asyncio.wait_for(started.wait(), 10)
    stop.set()
    await asyncio.wait_for(task, 10)
    assert await ops.fetchval("SELECT status::text FROM queue.pgqueuer") == "queued"


async def test_F07_jobs_take_turns_at_few_connections(urls: ClusterUrls, ops: Any, tenant: UUID) -> None:
    attempts: list[int] = []

    async def run(job: JobWork) -> None:
        async with job.transaction():
            attempts.append(job.attempt)
            await asyncio.sleep(0.2)

    registry, stop = Registry(), asyncio.Event()
    registry.job(JobSpec("work.turn", run))
    narrow = Database(DatabaseOptions(url=urls.app, pool_size=1))
    async with unit_of_work(narrow) as session:
        for _ in range(14):
            await enqueue(session, tenant, "work.turn")
    task = asyncio.create_task(run_worker(worker_state(narrow), registry, stop))
    await until(lambda: _empty(ops))
    stop.set()
    await task
    await narrow.stop()
    assert attempts == [1] * 14


async def test_F04_a_worker_outlives_its_connections(
    db: Database, ops: Any, tenant: UUID, registry: Registry, work: Callable[[], None]
) -> None:
    ran: list[int] = []

    async def run(job: JobWork) -> None:
        ran.append(job.job_id)

    async def killed() -> int:
        mine = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'zena-queue'"
        return int(await ops.fetchval(mine))

    registry.job(JobSpec("work.after", run))
    work()
    await until(killed)
    async with unit_of_work(db) as session:
        await enqueue(session, tenant, "work.after")
    await until(lambda: asyncio.sleep(0, ran), 20)


async def test_a_paused_job_waits_and_others_run(
    db: Database, ops: Any, tenant: UUID, registry: Registry, work: Callable[[], None]
) -> None:
    ran: list[str] = []

    async def run(job: JobWork) -> None:
        ran.append(job.name)

    registry.job(JobSpec("work.one", run))
    registry.job(JobSpec("work.two", run))
    await admin.pause(ops, "work.one", "receiver is down")
    async with unit_of_work(db) as session:
        await enqueue(session, tenant, "work.one")
        await enqueue(session, tenant, "work.two")
    work()
    await until(lambda: _is(ran, ["work.two"]))
    await asyncio.sleep(0.3)
    assert await queued(ops) == ["work.one"]
    await admin.resume(ops, "work.one")
    await until(lambda: _is(ran, ["work.two", "work.one"]))


async def test_F25_a_schedule_fires_once_per_slot_over_workers(
    db: Database, ops: Any, registry: Registry, work: Callable[[], None]
) -> None:
    ran: list[datetime] = []

    async def tick(job: JobWork) -> None:
        assert job.tenant is None
        ran.append(datetime.now(UTC))

    registry.crons["work.tick"] = CronSpec("work.tick", "* * * * * *", tick)
    work()
    work()
    work()
    began = datetime.now(UTC)
    await asyncio.sleep(3.5)
    slots = (datetime.now(UTC) - began).total_seconds()
    assert 1 <= len(ran) <= slots + 1
    logged = "SELECT count(*) FROM queue.pgqueuer_log WHERE entrypoint = 'work.tick' AND status = 'queued'"
    fired = await ops.fetchval(logged)
    assert fired == len(ran)


async def test_F25_a_slot_is_claimed_by_one_of_many(urls: ClusterUrls) -> None:
    pool = await asyncpg.create_pool(urls.app, server_settings={"role": "zena_queue"})

    async def nothing(job: JobWork) -> None: ...

    cron = CronSpec("work.claimed", "0 7 * * *", nothing)
    slot = crons.slot_of(cron.schedule, datetime(2026, 3, 1, 7, 0, 0, 400, tzinfo=UTC))
    assert slot == datetime(2026, 3, 1, 7, tzinfo=UTC)
    won = await asyncio.gather(*(crons.fire(pool, cron, slot) for _ in range(20)))
    await pool.close()
    assert sum(won) == 1


async def test_the_log_of_ended_jobs_is_trimmed(ops: Any) -> None:
    insert = """
    INSERT INTO queue.pgqueuer_log (job_id, status, priority, entrypoint, created, aggregated)
    SELECT -n, 'successful', 0, 'work.old', now() - interval '8 days', true FROM generate_series(1, 6000) n
    """
    await ops.execute(insert)
    assert await admin.trim(ops) == 6000


def test_names_come_from_us_and_not_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHANNEL", "TRIGGER", "QUEUE_TABLE", "PREFIX", "SCHEMA", "DURABILITY", "FUNCTION"):
        monkeypatch.setenv(name, "volatile")
        monkeypatch.setenv(f"PGQUEUER_{name}", "volatile")
    settings = queue_settings.__wrapped__()
    assert settings == queue_settings()
    assert settings.channel == "zena_queue"


def test_retries_back_off_to_ten_minutes() -> None:
    delays = [retry_delay(attempt).total_seconds() for attempt in range(1, 20)]
    assert 0.75 <= delays[0] <= 1.25
    assert 450 <= delays[-1] <= 750


async def _empty(ops: Any) -> bool:
    return not await queued(ops)


async def _is(found: list[Any], wanted: list[Any]) -> bool:
    return found == wanted
