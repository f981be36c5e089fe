"""The shared cache: full, or it wants a password. Only in a lab that has one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from zena.operate.lab.contract import Fault
from zena.operate.lab.place import NotALab, Place

_PASSWORD: Final = "lab"  # noqa: S105 - asked for during a fault by a server that holds nothing


@asynccontextmanager
async def _server(place: Place, password: str | None = None) -> AsyncIterator[Any]:
    """Lend one connection, with a password where a fault has set one."""
    from redis.asyncio import Redis  # noqa: PLC0415 - Redis is an extra

    if place.redis is None:
        raise NotALab("ZENA_REDIS_URL is not set: there is no shared cache to break")
    redis = Redis.from_url(place.redis, password=password)
    try:
        yield redis
    finally:
        await redis.aclose()


async def _as_before(place: Place) -> None:
    from redis.exceptions import AuthenticationError  # noqa: PLC0415 - Redis is an extra

    if place.redis is None:
        return
    for password in (None, _PASSWORD):
        with suppress(AuthenticationError):  # it wants one, or wants none
            async with _server(place, password) as redis:
                await redis.config_set("requirepass", "")
                await redis.config_set("maxmemory", "0")


@asynccontextmanager
async def _full(place: Place) -> AsyncIterator[None]:
    async with _server(place) as redis:
        await redis.config_set("maxmemory", "1")
    try:
        yield
    finally:
        await _as_before(place)


@asynccontextmanager
async def _refused(place: Place) -> AsyncIterator[None]:
    """It wants a password from now on, also of those who are connected."""
    async with _server(place) as redis:
        await redis.config_set("requirepass", _PASSWORD)
        await redis.client_kill_filter(_type="normal", skipme=True)
    try:
        yield
    finally:
        await _as_before(place)


FAULTS: Final = (
    Fault("cache-full", "the shared cache is full and evicts nothing", "C2", "full", needs="redis-server",
          heal=_as_before, broken=_full),
    Fault("cache-refuses", "the shared cache wants a password", "C2", "refused", needs="redis-server",
          heal=_as_before, broken=_refused),
)  # fmt: skip
