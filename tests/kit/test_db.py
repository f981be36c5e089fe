"""Lending raw connections: nobody waits for ever, neither for one nor for the pool to close."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from tests.conftest import PUBLIC_URL
from tests.factories import Firm
from tests.kit.bed import until
from zena.kit.db import Database, DatabaseOptions, PoolExhaustedError
from zena.kit.embedded import ClusterUrls
from zena.kit.faults import FAULTS, classify_fault
from zena.kit.realtime.outbox import Bell
from zena.kit.uow import unit_of_work
from zena.main import build_state, create_app, started
from zena.settings import Settings

PATIENCE = 0.3


@pytest.fixture
async def narrow(urls: ClusterUrls) -> AsyncIterator[Database]:
    db = Database(DatabaseOptions(urls.app, pool_size=1, pool_timeout=PATIENCE))
    await db.start()
    yield db
    await db.stop()


async def test_who_gets_no_connection_in_time_is_told_so(narrow: Database) -> None:
    async with narrow.lend():
        began = time.monotonic()
        with pytest.raises(PoolExhaustedError) as refused:
            async with narrow.lend():
                pytest.fail("two connections from a pool of one")
        assert PATIENCE * 0.9 < time.monotonic() - began < PATIENCE + 2
    before = FAULTS["pool_exhausted"]
    problem = classify_fault(refused.value)
    assert problem is not None
    assert (problem.status, problem.headers["Retry-After"]) == (503, "2")
    assert FAULTS["pool_exhausted"] == before + 1


async def test_a_connection_comes_back_whatever_happens_to_its_borrower(narrow: Database) -> None:
    async def borrow(error: BaseException) -> None:
        async with narrow.lend() as conn:
            assert await conn.fetchval("SELECT 1") == 1
            raise error

    for error in (ValueError("of ours"), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            await borrow(error)
    async with narrow.lend() as conn:
        assert await conn.fetchval("SELECT 2") == 2


async def test_stopping_does_not_wait_for_a_connection_that_never_comes_back(narrow: Database) -> None:
    await narrow.pool.acquire()
    async with asyncio.timeout(PATIENCE + 5):
        await narrow.stop()


async def test_F07_a_crowded_pool_is_a_503_for_reads_as_for_writes(settings: Settings, firm: Firm) -> None:
    state = build_state(settings.model_copy(update={"pool_size": 1, "pool_timeout": PATIENCE}))
    transport = httpx.ASGITransport(app=create_app(state), raise_app_exceptions=False)
    async with started(state), httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        async with state.db.lend():
            read = await firm.client(http).get("/api/v1/app/tasks")
            assert (read.status_code, read.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert int(read.headers["retry-after"]) > 0
        assert (await firm.client(http).get("/api/v1/app/tasks")).status_code == 200


@pytest.mark.parametrize("turns", range(6))
async def test_a_wait_is_cancelled_even_as_the_bell_rings(turns: int) -> None:
    unused: Any = SimpleNamespace()
    bell = Bell(unused)
    waiting = asyncio.create_task(bell.wait(10))
    await asyncio.sleep(0.01)
    bell.ring()
    for _ in range(turns):
        await asyncio.sleep(0)
    if waiting.cancel():
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_F04_what_the_server_closed_is_replaced_before_anybody_borrows_it(urls: ClusterUrls) -> None:
    db = Database(DatabaseOptions(urls.app, pool_size=3, application="zena-closed"))
    ops = await asyncpg.connect(urls.superuser)
    sessions = [db.sessions() for _ in range(3)]
    lent = [await (await session.connection()).get_raw_connection() for session in sessions]
    drivers = [one.driver_connection for one in lent]
    for session in sessions:
        await session.close()
    ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = 'zena-closed'"
    assert await ops.fetchval(ended) == 3

    async def heard() -> bool:
        return all(driver is not None and driver.is_closed() for driver in drivers)

    await until(heard)
    for _ in range(5):
        async with unit_of_work(db) as session:
            assert await session.scalar(text("SELECT 1")) == 1
    await ops.close()
    await db.stop()


async def test_F06_stopping_does_not_wait_for_a_server_that_hangs(urls: ClusterUrls) -> None:
    db = Database(DatabaseOptions(urls.app, pool_size=1, pool_timeout=PATIENCE))
    await db.start()
    async with unit_of_work(db) as session, db.lend() as conn:
        pids = [await session.scalar(text("SELECT pg_backend_pid()")), await conn.fetchval("SELECT pg_backend_pid()")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(15):
            await db.stop()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
