"""The cache: never another tenant's value, never older than the version, one computation, a reason for each miss."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.kit.redis_server import RedisServer
from zena.kit.cache import Cache, Cached, Reason
from zena.kit.clock import FixedClock
from zena.kit.ids import new_id

DAY = date(2026, 3, 1)
TENANT = new_id()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, clock: FixedClock) -> AsyncIterator[Cache]:
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    made = Cache(url, clock=clock, size=50)
    await made.start()
    if url:
        await made.store._backend.clear()
    yield made
    await made.stop()


class Loads:
    """A loader that counts."""

    def __init__(self, value: Any = None, seconds: float = 0.0) -> None:
        self.count = 0
        self.value = {"open": 1} if value is None else value
        self.seconds = seconds

    async def __call__(self) -> Any:
        self.count += 1
        await asyncio.sleep(self.seconds)
        return self.value


async def read(cache: Cache, loader: Any, **changes: Any) -> Cached:
    wanted: dict[str, Any] = {
        "tenant": TENANT,
        "family": "dashboard",
        "name": "main",
        "version": 1,
        "local_date": DAY,
        "ttl": 60,
    }
    return await cache.get_or_load(**(wanted | changes), loader=loader)


async def test_a_second_reader_hits_what_the_first_computed(cache: Cache, clock: FixedClock) -> None:
    loads = Loads()
    first, second = await read(cache, loads), await read(cache, loads)
    assert (first.hit, first.reason, second.hit, second.reason) == (False, Reason.COLD, True, None)
    assert (second.value, second.version, second.generated_at) == ({"open": 1}, 1, clock.now())
    assert loads.count == 1
    assert cache.stats()["families"]["dashboard"] == {"hits": 1, "misses": 1, "reasons": {"cold": 1}, "rejected": 0}


async def test_I04_a_new_version_is_never_answered_with_the_old_value(cache: Cache) -> None:
    await read(cache, Loads("old"))
    again = await read(cache, Loads("new"), version=2)
    assert (again.value, again.reason) == ("new", Reason.VERSION_CHANGED)


async def test_the_tenants_midnight_ends_a_value(cache: Cache) -> None:
    await read(cache, Loads("yesterday"))
    again = await read(cache, Loads("today"), local_date=DAY + timedelta(days=1))
    assert (again.value, again.reason) == ("today", Reason.EXPIRED)


async def test_a_value_expires(cache: Cache, clock: FixedClock) -> None:
    await read(cache, Loads("old"))
    clock.advance(timedelta(seconds=61))
    assert (await read(cache, Loads("new"))).reason is Reason.EXPIRED


async def test_a_value_that_vanished_says_so(cache: Cache) -> None:
    await read(cache, Loads())
    await cache.store._backend.delete(f"kpi:{TENANT}:dashboard:main:{DAY}:1")
    wanted = Reason.UNKNOWN if cache.store.shared else Reason.EVICTED
    assert (await read(cache, Loads())).reason is wanted


async def test_bypass_computes_and_keeps(cache: Cache) -> None:
    await read(cache, Loads("old"))
    assert (await read(cache, Loads("new"), bypass=True)).reason is Reason.BYPASS
    assert (await read(cache, Loads("newer"))).value == "new"


async def test_I03_another_tenants_value_and_junk_are_refused_and_counted(cache: Cache, clock: FixedClock) -> None:
    key = f"kpi:{TENANT}:dashboard:main:{DAY}:1"
    other = new_id()
    await read(cache, Loads("theirs"), tenant=other)
    theirs = await cache.peek(f"kpi:{other}:dashboard:main:{DAY}:1")
    planted = [msgspec.json.encode(theirs).decode(), "junk", "", "[]", "\x80\x04K*.", "1" * 20]
    for value in planted:
        await cache.store.set(key, value, 60)
        found = await read(cache, Loads("mine"))
        assert (found.value, found.hit) == ("mine", False)
        await cache.store._backend.delete(key)
    assert cache.stats()["families"]["dashboard"]["rejected"] == len(planted)


async def test_fifty_readers_make_one_computation(cache: Cache) -> None:
    loads = Loads(seconds=0.05)
    found = await asyncio.gather(*(read(cache, loads) for _ in range(50)))
    assert loads.count == 1
    assert sum(one.hit for one in found) == 49
    assert cache._flights._flights == {}


async def test_a_cancelled_computation_takes_nobody_with_it(cache: Cache) -> None:
    loads = Loads(seconds=0.1)
    first = asyncio.create_task(read(cache, loads))
    await asyncio.sleep(0.02)
    others = [asyncio.create_task(read(cache, loads)) for _ in range(5)]
    await asyncio.sleep(0.02)
    first.cancel()
    assert {one.value["open"] for one in await asyncio.gather(*others)} == {1}
    assert loads.count == 2


async def test_what_the_loader_raises_passes_through(cache: Cache) -> None:
    async def fail() -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read(cache, fail)
    assert (await read(cache, Loads())).reason is Reason.COLD


async def test_a_shared_cache_that_was_cleared_did_not_forget_by_itself(redis_url: str) -> None:
    cache = Cache(redis_url)
    await cache.start()
    tenant = new_id()
    await read(cache, Loads(), tenant=tenant)
    await cache.store._backend.clear()  # with all notes
    assert (await read(cache, Loads(), tenant=tenant)).reason is Reason.UNKNOWN
    await cache.stop()


async def test_keys_are_listed_by_pattern(cache: Cache) -> None:
    await read(cache, Loads())
    await read(cache, Loads(), family="team")
    assert await cache.keys("kpi:*:team:*") == [f"kpi:{TENANT}:team:main:{DAY}:1"]


async def test_values_pass_through_json_even_when_computed(cache: Cache) -> None:
    found = await read(cache, Loads({"id": UUID(int=1), "day": DAY}))
    assert found.value == {"id": str(UUID(int=1)), "day": "2026-03-01"}


async def test_the_local_cache_is_bounded(clock: FixedClock) -> None:
    cache = Cache(clock=clock, size=10)
    await cache.start()
    for number in range(100):
        await read(cache, Loads(), name=str(number))
    assert len(await cache.keys()) == 10
    assert (await read(cache, Loads(), name="1")).reason is Reason.EVICTED
    await cache.stop()


async def test_two_processes_compute_once(redis_url: str) -> None:
    caches = [Cache(redis_url), Cache(redis_url)]
    for cache in caches:
        await cache.start()
    await caches[0].store._backend.clear()
    loads = Loads(seconds=0.2)
    found = await asyncio.gather(*(read(cache, loads) for cache in caches))
    assert (loads.count, sorted(one.hit for one in found)) == (1, [False, True])
    for cache in caches:
        await cache.stop()


async def test_a_dead_redis_costs_a_computation_and_never_an_error(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as url:
        cache = Cache(url)
        await cache.start()
        await read(cache, Loads())
    for _ in range(5):
        found = await read(cache, Loads("fresh"))
        assert (found.value, found.reason) == ("fresh", Reason.ERROR)
    assert cache.stats()["breaker_open"]
    began = asyncio.get_running_loop().time()
    await read(cache, Loads())
    assert asyncio.get_running_loop().time() - began < 0.1
    await cache.stop()


async def test_a_redis_that_hangs_is_not_waited_for() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    cache = Cache(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
    began = asyncio.get_running_loop().time()
    for _ in range(4):
        assert (await read(cache, Loads("fresh"))).value == "fresh"
    assert asyncio.get_running_loop().time() - began < 6
    await cache.stop()
    server.close()
