"""The shared cache. Only with a server of the lab's own: others may use any other."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from zena.insight.facade import FAMILIES
from zena.kit.beside import beside
from zena.operate.lab.contract import Fault, Way
from zena.operate.lab.place import NotALab, Place

_REDIS: Final = "redis-server"
_PAUSE: Final = 0.05
_NOT_SO, _LATER = 777, 0.3
#: What fills the cache: so many values of so many bytes.
_BALLAST, _SIZE = 400, 10_000
#: Of what it holds it may hold so much: values that end by themselves make no room.
_ROOM: Final = 0.8
#: A life that no knob would allow, seconds.
_NO_TIME: Final = 0.02
#: Seconds after which every process has seen it.
_FOLLOWED: Final = 1.5
_SHORT: Final = """
INSERT INTO ops.tuning (name, value, until, since, actor, why)
SELECT unnest($1::text[]), $2, now() + interval '1 hour', now(), 'lab', 'to be of this moment'
"""
#: A cache that keeps nothing is felt: what is computed anew is slow on a small machine.
_SLOW: Final = frozenset({"D1", "A1", "B1"})


@asynccontextmanager
async def _server(place: Place) -> AsyncIterator[Any]:
    """Lend one connection, which stays when others have to sign in."""
    from redis.asyncio import Redis  # noqa: PLC0415 - Redis is an extra

    if place.redis is None:
        raise NotALab("this lab has no Redis of its own: `zena lab run` starts one")
    async with Redis.from_url(place.redis, decode_responses=True).client() as redis:
        yield redis


def _set(option: str, there: Callable[[], str], back: str) -> Callable[[Place], AbstractAsyncContextManager[None]]:
    """Change an option of the server."""

    @asynccontextmanager
    async def broken(place: Place) -> AsyncIterator[None]:
        async with _server(place) as redis:
            await redis.config_set(option, there())
            await redis.client_kill_filter(_type="normal", skipme=True)
            try:
                yield
            finally:
                await redis.config_set(option, back)

    return broken


def _again(work: Callable[[Any], Awaitable[None]]) -> Callable[[Place], AbstractAsyncContextManager[None]]:
    """Do something to what lies in the cache, again and again."""

    @asynccontextmanager
    async def broken(place: Place) -> AsyncIterator[None]:
        async with _server(place) as redis:

            async def often() -> None:
                while True:
                    await work(redis)
                    await asyncio.sleep(_PAUSE)

            async with beside(often()):
                yield

    return broken


async def _clear(redis: Any) -> None:
    await redis.flushall()


@asynccontextmanager
async def _short_life(place: Place) -> AsyncIterator[None]:
    """Somebody wanted figures to be of this moment, and set in the database that they are kept for next to no time."""
    async with _server(place) as redis:
        await place.value(_SHORT, [f"cache.life.{family}" for family in FAMILIES], _NO_TIME)
        await asyncio.sleep(_FOLLOWED)
        await redis.flushall()  # what lies there keeps the life that it was given
    try:
        yield
    finally:
        await _forget(place)


async def _forget(place: Place) -> None:
    await place.value("DELETE FROM ops.tuning WHERE actor = 'lab'")


@asynccontextmanager
async def _written(place: Place) -> AsyncIterator[None]:
    """Something else writes where our figures lie: under the keys of now, and none that come after clearing."""
    from redis.asyncio import Redis  # noqa: PLC0415 - Redis is an extra

    if place.redis is None:
        raise NotALab("this lab has no Redis of its own: `zena lab run` starts one")
    async with Redis.from_url(place.redis).client() as redis:
        keys = [key async for key in redis.scan_iter(match="kpi:*:dashboard:all*")]

        async def write() -> None:
            while True:
                for key in keys:
                    text = await redis.get(key)
                    if text is not None:
                        envelope = json.loads(text)
                        envelope["value"]["data"]["total_projects"] = _NOT_SO
                        await redis.set(key, json.dumps(envelope), keepttl=True, xx=True)
                await asyncio.sleep(_LATER)

        async with beside(write()):
            yield


@asynccontextmanager
async def _full(place: Place) -> AsyncIterator[None]:
    """Somebody gave it little memory, filled that, and forbade it to drop anything."""
    async with _server(place) as redis:
        for number in range(_BALLAST):
            await redis.set(f"lab:ballast:{number}", "x" * _SIZE)
        was = (await redis.config_get("maxmemory-policy"))["maxmemory-policy"]
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("maxmemory", int((await redis.info("memory"))["used_memory"] * _ROOM))
        try:
            yield
        finally:
            await redis.config_set("maxmemory", 0)
            await redis.config_set("maxmemory-policy", was)
            await redis.delete(*(f"lab:ballast:{number}" for number in range(_BALLAST)))


FAULTS: Final = (
    Fault("figures-overwritten", "something else writes into the shared cache", "D2", "wrong_value",
          ((Way.GET, "/dashboard"),), needs=_REDIS, broken=_written),
    Fault("cache-cleared", "somebody clears the shared cache again and again", "C1", "gone_from_store", also=_SLOW,
          needs=_REDIS, broken=_again(_clear)),
    Fault("cache-short-life", "values end before they are asked for again", "C1", "short_life", also=_SLOW,
          needs=_REDIS, heal=_forget, broken=_short_life),
    Fault("cache-full", "the shared cache is full and evicts nothing", "C2", "full", needs=_REDIS, broken=_full),
    Fault("cache-refuses", "the shared cache wants a password", "C2", "refused", needs=_REDIS,
          broken=_set("requirepass", secrets.token_urlsafe, "")),
)  # fmt: skip
