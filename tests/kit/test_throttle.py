"""Exact counters in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.db import Database, DatabaseOptions
from zena.kit.embedded import ClusterUrls
from zena.kit.ratelimit import Allowance, Buckets, Limit
from zena.kit.throttle import (
    Backoff,
    Settler,
    blocked_for,
    count_hit,
    forgive,
    record_failure,
    sweep_throttle,
    throttle_key,
)
from zena.kit.uow import ledger, unit_of_work

SECRET = b"s" * 32


@pytest.fixture
async def db(urls: ClusterUrls) -> AsyncIterator[Database]:
    made = Database(DatabaseOptions(url=urls.app))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def key() -> bytes:
    return throttle_key(SECRET, "test", uuid4().hex)


async def fail(db: Database, key: bytes, backoff: Backoff) -> float:
    async with ledger(db) as session:
        return await record_failure(session, key, backoff)


async def blocked(db: Database, *keys: bytes) -> float:
    async with ledger(db) as session:
        return await blocked_for(session, keys)


def test_keys_are_hashes_that_cannot_be_shifted() -> None:
    assert throttle_key(SECRET, "a", "bc") != throttle_key(SECRET, "ab", "c")
    assert throttle_key(SECRET, "a") != throttle_key(b"t" * 32, "a")
    assert len(throttle_key(SECRET, "\ud800")) == 32


def test_waits_double_up_to_a_cap() -> None:
    backoff = Backoff(free=2, base=1, cap=10)
    assert [backoff.wait(failures) for failures in range(8)] == [0, 0, 0, 1, 2, 4, 8, 10]
    assert backoff.wait(10**6) == 10


async def test_C08_failures_lead_to_waits_and_success_forgives(db: Database, key: bytes) -> None:
    backoff = Backoff(free=2, base=30, cap=100)
    assert [await fail(db, key, backoff) for _ in range(5)] == [0, 0, 30, 60, 100]
    assert 95 < await blocked(db, throttle_key(SECRET, "other"), key) <= 100
    async with ledger(db) as session:
        await forgive(session, [key])
    assert await blocked(db, key) == 0
    assert await fail(db, key, backoff) == 0


async def test_C08_a_rolled_back_attempt_still_counts(db: Database, key: bytes) -> None:
    async def attempt() -> None:
        async with unit_of_work(db) as session:
            await session.execute(text("SELECT 1"))
            await fail(db, key, Backoff(free=0, base=50))
            raise RuntimeError("the request failed")

    with pytest.raises(RuntimeError):
        await attempt()
    assert await blocked(db, key) > 40


async def test_C08_failures_long_ago_are_forgotten(db: Database, key: bytes) -> None:
    backoff = Backoff(free=1, base=30, window=0.2)
    assert [await fail(db, key, backoff) for _ in range(2)] == [0, 30]
    await asyncio.sleep(0.3)
    assert await fail(db, key, backoff) == 0


async def test_B13_parallel_failures_are_all_counted(db: Database, key: bytes) -> None:
    waits = await asyncio.gather(*(fail(db, key, Backoff(free=10, base=1, cap=10**6)) for _ in range(20)))
    assert sorted(waits)[10:] == [2.0**power for power in range(10)]


async def test_hits_in_a_window_are_exact(db: Database, key: bytes) -> None:
    async def hit() -> Allowance:
        async with ledger(db) as session:
            return await count_hit(session, key, Limit(5, 3600))

    answers = await asyncio.gather(*(hit() for _ in range(8)))
    assert sum(answer.allowed for answer in answers) == 5
    refused = next(answer for answer in answers if not answer.allowed)
    assert 0 < refused.wait <= 3600


async def test_C08_they_survive_a_restart(urls: ClusterUrls, key: bytes) -> None:
    for expected in (0.0, 9.0):
        db = Database(DatabaseOptions(url=urls.app))
        await db.start()
        assert await fail(db, key, Backoff(free=1, base=9)) == expected
        await db.stop()


async def test_two_processes_share_a_limit(db: Database) -> None:
    limit, name = Limit(100, 60), uuid4().hex
    one, two = Buckets(), Buckets()
    settlers = [Settler(db, buckets, lambda: SECRET) for buckets in (one, two)]
    for buckets in (one, two):
        for _ in range(40):
            buckets.take(name, limit)
    for settler in settlers:
        await settler.settle()
    assert two.take(name, limit).remaining <= 21  # 40 here and 40 there
    one.take(name, limit)
    await settlers[0].settle()
    assert one.take(name, limit).remaining <= 21
    await settlers[0].settle()
    await settlers[0].settle()


async def test_H08_old_counters_are_swept(db: Database, key: bytes) -> None:
    """Only our own two are looked at: a window of an hour begins with the hour, so that others may well be old."""
    await fail(db, key, Backoff())
    locked = throttle_key(SECRET, "test", uuid4().hex)
    await fail(db, locked, Backoff(free=0, base=100))
    async with ledger(db) as session:
        await sweep_throttle(session, 3600)
        assert await _kept(session, key, locked) == {key, locked}
        assert await sweep_throttle(session, -1) >= 1
        assert await _kept(session, key, locked) == {locked}
    assert await blocked(db, locked) > 50


async def _kept(session: AsyncSession, *keys: bytes) -> set[bytes]:
    return set(await session.scalars(text("SELECT key FROM throttle WHERE key = ANY(:keys)"), {"keys": list(keys)}))
