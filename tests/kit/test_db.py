"""Lending raw connections: nobody waits for ever, neither for one nor for the pool to close."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.conftest import PUBLIC_URL
from tests.factories import Firm
from zena.kit.db import Database, DatabaseOptions, PoolExhaustedError
from zena.kit.embedded import ClusterUrls
from zena.kit.faults import FAULTS, classify_fault
from zena.kit.realtime.outbox import Bell
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
