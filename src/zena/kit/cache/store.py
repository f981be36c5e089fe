"""Where entries lie: the process's own LRU, or Redis behind a breaker. Text in, text out; cashews underneath."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from cashews.backends.interface import Backend
from cashews.backends.memory import Memory
from cashews.serialize import Serializer

from zena.kit.logs import get_logger

log = get_logger(__name__)

#: Longest wait for Redis; a cache that is slower than this is worse than none.
_PATIENCE: Final = 0.5
_FAILURES_TO_OPEN: Final = 3
_OPEN_SECONDS: Final = 5.0


class StoreDown(Exception):  # noqa: N818 - the reader's word for it
    """The store did not answer, or is not being asked at present."""


class Breaker:
    """Stops asking after some failures in a row, and asks again after a while."""

    def __init__(self) -> None:
        self.failures = 0
        self.closed_again_at = 0.0

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self.closed_again_at

    def failed(self) -> None:
        self.failures += 1
        if self.failures >= _FAILURES_TO_OPEN:
            self.closed_again_at = time.monotonic() + _OPEN_SECONDS

    def succeeded(self) -> None:
        self.failures = 0


class PlainText(Serializer):
    """Stores what it is given. cashews' own default for Redis is pickle, which executes what it reads."""

    def __init__(self) -> None:
        super().__init__(check_repr=False)  # type: ignore[no-untyped-call]  # cashews leaves it without annotations

    async def encode(self, backend: Backend, key: str, value: Any, expire: float | None) -> Any:  # noqa: ARG002 - cashews' signature
        return value

    async def decode(self, backend: Backend, key: str, value: Any, default: Any) -> Any:  # noqa: ARG002 - cashews' signature
        return default if value is None else value


class Store:
    """Text by key. Every failure of the backend is a StoreDown."""

    def __init__(self, backend: Any, *, shared: bool) -> None:
        self.shared = shared
        self.breaker = Breaker()
        self._backend = backend  # cashews annotates only half of its backends

    async def start(self) -> None:
        try:
            await self._backend.init()
        except Exception as error:  # noqa: BLE001 - the cache is optional, whatever keeps it from starting
            log.warning("cache not reachable, working without", error=type(error).__name__)

    async def stop(self) -> None:
        if self._backend.is_init:
            await self._backend.close()

    async def get(self, key: str) -> str | None:
        found = await self._ask(self._backend.get(key))
        if isinstance(found, bytes):
            return found.decode("utf-8", "replace")
        return None if found is None else str(found)  # cashews turns what looks like a number into one

    async def set(self, key: str, text: str, seconds: float) -> None:
        await self._ask(self._backend.set(key, text, expire=seconds))

    async def delete(self, key: str) -> None:
        await self._ask(self._backend.delete(key))

    async def lock(self, key: str, owner: str, seconds: float) -> bool:
        """Take a lock that ends by itself; False when somebody has it."""
        return bool(await self._ask(self._backend.set(key, owner, expire=seconds, exist=False)))

    async def unlock(self, key: str, owner: str) -> None:
        await self._ask(self._backend.unlock(key, owner))

    async def keys(self, pattern: str) -> AsyncIterator[str]:
        """Yield keys by SCAN, which does not block the server."""
        async for key in self._backend.scan(pattern):
            yield key.decode() if isinstance(key, bytes) else key

    async def _ask(self, question: Any) -> Any:
        if not self.shared:
            return await question
        if self.breaker.is_open:
            question.close()
            raise StoreDown
        try:
            if not self._backend.is_init:
                async with asyncio.timeout(_PATIENCE):
                    await self._backend.init()
            async with asyncio.timeout(_PATIENCE):
                answer = await question
        except Exception as error:
            question.close()
            self.breaker.failed()
            raise StoreDown from error
        self.breaker.succeeded()
        return answer


def local_store(size: int) -> Store:
    """Return the process's own least-recently-used store."""
    return Store(Memory(size=size, check_interval=0), shared=False)


def redis_store(url: str) -> Store:
    """Return the store in Redis or Valkey; needs the `redis` extra."""
    try:
        from cashews.backends.redis import Redis  # noqa: PLC0415 - the client library is an extra
    except ImportError as error:
        raise RuntimeError("a Redis cache needs its client: pip install 'zena[redis]'") from error

    backend = Redis(url, suppress=False, serializer=PlainText(), socket_timeout=_PATIENCE, max_connections=20)
    return Store(backend, shared=True)
