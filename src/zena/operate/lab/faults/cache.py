"""The shared cache: full, or it wants a password. Only with a server of the lab's own: others may use any other."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from zena.kit.beside import beside
from zena.operate.lab.contract import Fault
from zena.operate.lab.place import NotALab, Place

_REDIS: Final = "redis-server"
_NOT_SO, _AGAIN = 777, 0.3


def _set(option: str, there: Callable[[], str], back: str) -> Callable[[Place], AbstractAsyncContextManager[None]]:
    """Change an option of the server; over one connection, which stays when others have to sign in."""

    @asynccontextmanager
    async def broken(place: Place) -> AsyncIterator[None]:
        from redis.asyncio import Redis  # noqa: PLC0415 - Redis is an extra

        if place.redis is None:
            raise NotALab("this lab has no Redis of its own: `zena lab run` starts one")
        async with Redis.from_url(place.redis).client() as redis:
            await redis.config_set(option, there())
            await redis.client_kill_filter(_type="normal", skipme=True)
            try:
                yield
            finally:
                await redis.config_set(option, back)

    return broken


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
                await asyncio.sleep(_AGAIN)

        async with beside(write()):
            yield


FAULTS: Final = (
    Fault("figures-overwritten", "something else writes into the shared cache", "D2", "wrong_value",
          (("GET", "/dashboard"),), needs=_REDIS, broken=_written),
    Fault("cache-full", "the shared cache is full and evicts nothing", "C2", "full", needs=_REDIS,
          broken=_set("maxmemory", lambda: "1", "0")),
    Fault("cache-refuses", "the shared cache wants a password", "C2", "refused", needs=_REDIS,
          broken=_set("requirepass", secrets.token_urlsafe, "")),
)  # fmt: skip
