"""The shared cache as an operator sees it: Redis or Valkey asked directly, with its refusals put into words."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final

from redis import asyncio as client
from redis.exceptions import RedisError

_PATIENCE: Final = 2.0
_PAGE: Final = 500
#: What Redis says, and what it means.
_WORDS: Final = (
    ("already authenticated", "asks for a password: put one into ZENA_REDIS_URL"),
    ("NOAUTH", "asks for a password: put one into ZENA_REDIS_URL"),
    ("Authentication required", "asks for a password: put one into ZENA_REDIS_URL"),
    ("WRONGPASS", "refuses the password in ZENA_REDIS_URL"),
    ("invalid username-password", "refuses the password in ZENA_REDIS_URL"),
    ("invalid password", "refuses the password in ZENA_REDIS_URL"),
    ("NOPERM", "does not let this user do that"),
    ("read only replica", "is a replica that takes no writes: point ZENA_REDIS_URL at the primary"),
    ("OOM", "is full and evicts nothing: set its maxmemory-policy to allkeys-lru"),
    ("maxmemory", "is full and evicts nothing: set its maxmemory-policy to allkeys-lru"),
    ("MISCONF", "takes no writes because it cannot save to its disk"),
    ("loading the dataset", "is loading its data: wait"),
    ("WRONGTYPE", "holds something under that key that is not ours"),
    ("imeout", f"did not answer within {_PATIENCE:g} s"),
)
_SHOWN: Final = ("redis_version", "role", "loading", "used_memory", "maxmemory", "maxmemory_policy", "evicted_keys")


class SharedCacheDown(Exception):  # noqa: N818 - what somebody reads
    """The shared cache does not do what it is asked; the text says why, without the password."""


@asynccontextmanager
async def shared(url: str) -> AsyncIterator[Any]:
    """Lend a client; whatever Redis refuses in the block becomes SharedCacheDown."""
    redis: Any = client.Redis.from_url(url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
    try:
        yield redis
    except (RedisError, OSError, TimeoutError) as error:
        raise SharedCacheDown(_in_words(error)) from error
    finally:
        await redis.aclose()


async def ping(redis: Any) -> dict[str, Any]:
    """Write, read and delete a value; return the slowest of the three and what the server says of itself."""
    key, nonce, slowest = f"ping:{secrets.token_hex(8)}", secrets.token_hex(8).encode(), 0.0
    for command in (("SET", key, nonce, "EX", 10), ("GET", key), ("DEL", key)):
        began = perf_counter()
        answer = await redis.execute_command(*command)
        slowest = max(slowest, perf_counter() - began)
        if command[0] == "GET" and answer != nonce:
            raise SharedCacheDown("gave back another value than was written")
    info = await redis.info()
    return {"slowest_ms": round(slowest * 1000, 2), **{name: info.get(name) for name in _SHOWN}}


async def values(redis: Any, wanted: list[str]) -> list[bytes | None]:
    """Return what lies under each key."""
    return [await redis.get(key) for key in wanted]


async def keys(redis: Any, pattern: str, limit: int) -> tuple[list[str], bool]:
    """Return up to `limit` keys by SCAN, which blocks nobody, sorted; and whether there are more."""
    found: set[str] = set()
    async for key in redis.scan_iter(match=pattern, count=_PAGE):
        if len(found) == limit:
            return sorted(found), True
        found.add(key.decode("utf-8", "backslashreplace"))
    return sorted(found), False


def _in_words(error: Exception) -> str:
    said = str(error) or type(error).__name__
    return next((words for sign, words in _WORDS if sign in said), f"cannot be reached ({type(error).__name__})")
