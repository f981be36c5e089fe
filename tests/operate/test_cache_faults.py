"""Redis gone, silent, slow, full, locked, or filled with junk: users see right figures, and operators see why."""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from tests.factories import Firm
from tests.insight.history import History
from tests.kit.bed import until
from tests.kit.redis_server import RedisServer
from tests.operate.commands import Terminal
from zena.kit.cache import Cache
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.state import State
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests

pytestmark = pytest.mark.proof  # real processes and servers, many times over

API = "/api/v1/app"
PARTS = ("dashboard", "dashboard/projects", "dashboard/tasks", "dashboard/team")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path)
    with made:
        yield made


@pytest.fixture
def url(server: RedisServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Any]:
    client = Redis.from_url(url, socket_timeout=5)
    yield client
    await client.aclose()


@pytest.fixture
async def shared(state: State, url: str) -> AsyncIterator[Cache]:
    """The application with a shared cache."""
    own, state.cache = state.cache, Cache(url, clock=state.clock)
    await state.cache.start()
    made = state.cache
    yield made
    state.cache = own
    await made.stop()


@pytest.fixture
def terminal(urls: ClusterUrls, tmp_path: Path) -> Terminal:
    return Terminal(urls, tmp_path)


async def gone(server: RedisServer, redis: Any) -> None:
    server.process.kill()
    await asyncio.to_thread(server.process.wait)


async def silent(server: RedisServer, redis: Any) -> None:
    server.process.send_signal(signal.SIGSTOP)


async def slow(server: RedisServer, redis: Any) -> None:
    await redis.execute_command("CLIENT", "PAUSE", "60000", "ALL")


async def full(server: RedisServer, redis: Any) -> None:
    await redis.config_set("maxmemory-policy", "noeviction")
    await redis.config_set("maxmemory", "1")


async def locked(server: RedisServer, redis: Any) -> None:
    await redis.config_set("requirepass", "other")
    await redis.execute_command("AUTH", "other")
    await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


async def replica(server: RedisServer, redis: Any) -> None:
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")


async def overwrite(redis: Any, how: Callable[[bytes], Awaitable[Any]]) -> None:
    for key in [key async for key in redis.scan_iter()]:
        await how(key)


async def junk(server: RedisServer, redis: Any) -> None:
    await overwrite(redis, lambda key: redis.set(key, b"\x80\x04\xff<script>" * 1000))


async def lists(server: RedisServer, redis: Any) -> None:
    async def replace(key: bytes) -> None:
        await redis.delete(key)
        await redis.rpush(key, "a", "b")

    await overwrite(redis, replace)


async def emptied(server: RedisServer, redis: Any) -> None:
    await redis.flushall()


FAULTS = {one.__name__: one for one in (gone, silent, slow, full, locked, replica, junk, lists, emptied)}


@pytest.mark.parametrize("name", FAULTS)
async def test_C2_a_failing_shared_cache_shows_no_error_and_no_wrong_figure(
    name: str, state: State, firm: Firm, http: httpx.AsyncClient, server: RedisServer, redis: Any, shared: Cache
) -> None:
    life = History(state, firm, random.Random(5), datetime.now(UTC))  # noqa: S311 - tests
    await life.do(life.new_project)
    new_task = partial(life.new_task, due_on=life.scope.today + timedelta(days=9), parent_id=None, assignees=[])
    await life.do(new_task)
    client = firm.client(http)

    async def tasks() -> list[int]:
        answers = [await client.get(f"{API}/{part}") for part in PARTS]
        assert [answer.status_code for answer in answers] == [200] * len(PARTS)
        page = await client.get("/dashboard")
        assert (page.status_code, "<h1" in page.text) == (200, True)
        return [answers[0].json()["data"]["total_tasks"]]

    assert await tasks() == [1]
    assert await tasks() == [1]
    assert shared.stats()["families"]["dashboard"]["hits"] > 0
    await FAULTS[name](server, redis)
    began = asyncio.get_running_loop().time()
    assert await tasks() == [1]
    await life.do(new_task)
    assert await tasks() == [2]
    assert asyncio.get_running_loop().time() - began < 20


async def test_C2_a_cache_that_comes_back_is_used_again(
    state: State, firm: Firm, http: httpx.AsyncClient, server: RedisServer, shared: Cache
) -> None:
    client = firm.client(http)
    server.process.send_signal(signal.SIGSTOP)
    for _ in range(4):
        assert (await client.get(f"{API}/dashboard")).status_code == 200
    assert shared.stats()["breaker_open"]
    server.process.send_signal(signal.SIGCONT)

    async def hit() -> bool:
        before = shared.counters.hits["dashboard"]
        await client.get(f"{API}/dashboard")
        return shared.counters.hits["dashboard"] > before

    assert await until(hit, 20)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gone", "cannot be reached"),
        ("silent", "did not answer within 2 s"),
        ("full", "is full and evicts nothing"),
        ("locked", "asks for a password"),
        ("replica", "is a replica"),
    ],
)
async def test_C2_the_command_says_why_the_cache_does_not_work(
    name: str, says: str, server: RedisServer, redis: Any, url: str, terminal: Terminal
) -> None:
    well = await terminal("cache", "ping", ZENA_REDIS_URL=url)
    assert (well.code, "ok: " in well.out) == (Exit.OK, True)
    await FAULTS[name](server, redis)
    ran = await terminal("cache", "ping", ZENA_REDIS_URL=url)
    assert ran.code == Exit.UNAVAILABLE
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1
    if name == "locked":
        wrong = await terminal("cache", "ping", ZENA_REDIS_URL=url.replace("//", "//:hunter2-hunter2@"))
        assert (wrong.code, "refuses the password" in wrong.err, "hunter2" in wrong.err) == (
            Exit.UNAVAILABLE,
            True,
            False,
        )


async def test_what_is_kept_is_listed_shown_and_cleared_without_touching_a_key(
    firm: Firm, stranger: Firm, http: httpx.AsyncClient, redis: Any, shared: Cache, url: str, terminal: Terminal
) -> None:
    client, other = firm.client(http), stranger.client(http)
    spelled = f"kpi:{firm.slug}:dashboard"
    assert (await terminal("cache", "get", spelled, ZENA_REDIS_URL=url)).code == Exit.FINDING
    for one in (client, other):
        await one.get(f"{API}/dashboard")
    listed = await terminal("cache", "keys", f"kpi:{firm.tenant}:dashboard:*", ZENA_REDIS_URL=url)
    [key] = listed.out.split()
    for asked in (spelled, key):
        shown = await terminal("cache", "get", asked, ZENA_REDIS_URL=url)
        assert (shown.code, '"total_tasks": 0' in shown.out) == (Exit.OK, True)
    await redis.set("theirs", "not ours")
    cleared = await terminal("cache", "clear", "--tenant", firm.slug, "--family", "kpi", ZENA_REDIS_URL=url)
    assert cleared.code == Exit.OK
    assert {key.encode(), b"theirs"} <= {found async for found in redis.scan_iter()}
    assert (await terminal("cache", "get", spelled, ZENA_REDIS_URL=url)).code == Exit.FINDING
    before = shared.counters.hits["dashboard"], shared.counters.misses["dashboard"].total()
    answers = await asyncio.gather(*(client.get(f"{API}/dashboard") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    hits, misses = shared.counters.hits["dashboard"], shared.counters.misses["dashboard"].total()
    assert (hits - before[0], misses - before[1]) == (9, 1)  # ten look at once, one computes
    await other.get(f"{API}/dashboard")
    assert shared.counters.hits["dashboard"] == hits + 1  # the other firm's figures stayed


async def test_a_clear_never_meets_the_version_of_a_later_event(
    state: State, firm: Firm, http: httpx.AsyncClient, terminal: Terminal
) -> None:
    life = History(state, firm, random.Random(5), datetime.now(UTC))  # noqa: S311 - tests
    await life.do(life.new_project)
    client, totals = firm.client(http), []
    for _ in range(2):
        assert (await terminal("cache", "clear", "--tenant", firm.slug)).code == Exit.OK
        totals.append((await client.get(f"{API}/dashboard")).json()["data"]["total_tasks"])
        due = life.scope.today + timedelta(days=9)
        await life.do(partial(life.new_task, due_on=due, parent_id=None, assignees=[]))
    assert totals == [0, 1]


async def test_without_a_shared_cache_the_commands_say_what_they_cannot_see(firm: Firm, terminal: Terminal) -> None:
    assert "nothing to reach" in (await terminal("cache", "ping")).out
    shown = await terminal("cache", "get", f"kpi:{firm.slug}:dashboard")
    assert (shown.code, f"kpi:{firm.tenant}:dashboard:all:" in shown.out) == (Exit.OK, True)
    assert "which no command can see into" in shown.out
    assert (await terminal("cache", "keys")).code == Exit.UNAVAILABLE
    for words in (("clear", "--tenant", "nobody"), ("get", f"kpi:{firm.slug}:gold")):
        ran = await terminal("cache", *words)
        assert (ran.code, len(ran.err.splitlines())) == (Exit.DATA, 1)
    assert (await terminal("cache", "clear", "--family", "gold")).code == Exit.USAGE


async def test_measured_hit_rates_are_shown_with_the_reasons(state: State, terminal: Terminal) -> None:
    recorder = Recorder(Requests())
    for number in range(300):
        recorder.cache("gauge", "expired" if number % 2 else None)
    assert await Flusher(state, recorder, "test").flush()
    ran = await terminal("cache", "stats", "--json")
    found = json.loads(ran.out)
    [one] = [one for one in found["families"] if one["family"] == "gauge"]
    assert (one["lookups"], one["hit_rate"], one["misses"]) == (300, 0.5, {"expired": 150})
    assert (ran.code, "gauge" in found["low"]) == (Exit.FINDING, True)
