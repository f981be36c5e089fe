"""Compute once, keep until the family's next version, say why when computing again."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from zena import __version__
from zena.kit.cache.entry import CacheKey, Envelope, Note, digest_of
from zena.kit.cache.flights import Flights
from zena.kit.cache.shadow import Shadow
from zena.kit.cache.stats import CacheStats, Reason
from zena.kit.cache.store import Store, StoreDown, local_store, redis_store
from zena.kit.clock import Clock, SystemClock
from zena.kit.logs import get_logger

log = get_logger(__name__)

Loader = Callable[[], Awaitable[Any]]

#: A note outlives the value it describes by this much, so that "expired" can be told from "cold".
_NOTE_KEPT: Final = timedelta(hours=6)
_NOTES: Final = 10_000
#: Another process that computes the same value is waited for this long, no longer.
_LOCK_SECONDS: Final = 2.0
_LOCK_STEP: Final = 0.05


@dataclass(frozen=True, slots=True)
class Cached:
    """A value, when it was computed, until when it is kept, and whether it was found. `reason` is None on a hit.

    `release` computed it; `intact` tells that it is what was computed, as far as that is known.
    """

    value: Any
    generated_at: datetime
    expires_at: datetime
    version: int
    hit: bool
    reason: Reason | None
    release: str = ""
    digest: str = ""

    @property
    def intact(self) -> bool:
        return not self.digest or self.digest == digest_of(self.value)


class _Lookup(NamedTuple):
    envelope: Envelope | None
    reason: Reason


class Cache:
    """One per process. Values are JSON and pass through it even when computed, so hit and miss look alike."""

    def __init__(self, redis_url: str | None = None, *, clock: Clock | None = None, size: int = 2_000) -> None:
        self.store: Store = redis_store(redis_url) if redis_url else local_store(size)
        self.clock = clock or SystemClock()
        self.counters = CacheStats()
        self.on_lookup: list[Callable[[str, Reason | None], None]] = []
        self.shadow = Shadow()
        self.lives: Mapping[str, float] = {}  # seconds by family, where they are not the caller's
        self._notes: OrderedDict[str, Note] = OrderedDict()
        self._flights = Flights()

    async def start(self) -> None:
        await self.store.start()

    async def stop(self) -> None:
        await self.store.stop()

    async def get_or_load(  # noqa: PLR0913 - the parts of the key are named, so that none can be left out
        self,
        *,
        tenant: UUID,
        family: str,
        name: str,
        version: int,
        local_date: date,
        ttl: float,
        loader: Loader,
        bypass: bool = False,
    ) -> Cached:
        """Return the value for exactly this version and day, computing it at most once per process at a time.

        `version` is the family's as the caller's own transaction reads it, so nobody sees older data than their own
        write. A failing cache costs a computation, never an error; what the loader raises passes through.
        """
        key = CacheKey(tenant, family, name, version, local_date)
        if bypass:
            return self._told(family, await self._load(key, ttl, loader), Reason.BYPASS)
        found = await self._look(key)
        if found.envelope is not None:
            return self._told(family, found.envelope, None)
        async with self._flights.only_one(str(key)):
            again = await self._look(key)
            if again.envelope is not None:
                return self._told(family, again.envelope, None)
            return await self._load_shared(key, ttl, loader, found.reason)

    def stats(self) -> dict[str, Any]:
        """Return the counters since the process started."""
        return {
            "backend": "redis" if self.store.shared else "memory",
            "breaker_open": self.store.breaker.is_open,
            "families": self.counters.families(),
        }

    async def keys(self, pattern: str = "kpi:*") -> list[str]:
        """Return the keys that match, for operators; empty when the store is down."""
        try:
            return sorted([key async for key in self.store.keys(pattern)])
        except Exception:  # noqa: BLE001 - scanning has no single error of its own
            return []

    async def peek(self, key: str) -> dict[str, Any] | None:
        """Return a stored envelope as it is, for operators."""
        text = await self.store.get(key)
        decoded: dict[str, Any] | None = None if text is None else msgspec.json.decode(text)
        return decoded

    async def _look(self, key: CacheKey) -> _Lookup:
        try:
            text = await self.store.get(str(key))
            if text is None:
                return _Lookup(None, await self._reason(key))
            envelope = _decoded(text, Envelope)
            if envelope is None or not envelope.belongs_to(key):
                self.counters.reject(key.family)
                log.warning("cache entry refused", key=str(key), junk=envelope is None)
                await self.store.delete(str(key))
                return _Lookup(None, Reason.ERROR)
        except StoreDown:
            return _Lookup(None, Reason.ERROR)
        if envelope.expires_at <= self.clock.now():
            return _Lookup(None, Reason.EXPIRED)
        return _Lookup(envelope, Reason.UNKNOWN)

    async def _reason(self, key: CacheKey) -> Reason:
        note = await self._note(key)
        if note is None:
            return Reason.COLD
        if note.version != key.version:
            return Reason.VERSION_CHANGED
        if note.local_date != key.local_date or note.expires_at <= self.clock.now():
            return Reason.EXPIRED
        return Reason.UNKNOWN if self.store.shared else Reason.EVICTED

    async def _load_shared(self, key: CacheKey, ttl: float, loader: Loader, reason: Reason) -> Cached:
        """Compute, unless another process that shares the store is doing so and soon done."""
        if not self.store.shared or reason is Reason.ERROR:
            return self._told(key.family, await self._load(key, ttl, loader), reason)
        async with self._shared_lock(f"lock:{key}") as ours:
            envelope = None if ours else await self._await_other(key)
            if envelope is not None:
                return self._told(key.family, envelope, None)
            return self._told(key.family, await self._load(key, ttl, loader), reason)

    async def _load(self, key: CacheKey, ttl: float, loader: Loader) -> Envelope:
        computed = msgspec.json.decode(msgspec.json.encode(await loader()))
        now, ttl = self.clock.now(), self.lives.get(key.family, ttl)
        until = now + timedelta(seconds=ttl)
        envelope = Envelope(
            key.tenant, key.version, key.local_date, now, until, computed, __version__, digest_of(computed)
        )
        try:
            await self.store.set(str(key), msgspec.json.encode(envelope).decode(), ttl)
            await self._keep_note(key, Note(key.version, key.local_date, envelope.expires_at))
        except StoreDown:
            log.debug("value not kept", key=str(key))
        return envelope

    async def _note(self, key: CacheKey) -> Note | None:
        ours = self._notes.get(key.place)
        if not self.store.shared:
            return ours
        note: Note | None = _decoded(await self.store.get(f"note:{key.place}"), Note)
        return note or ours  # whoever clears the shared cache takes its notes too

    async def _keep_note(self, key: CacheKey, note: Note) -> None:
        if self.store.shared:
            await self.store.set(f"note:{key.place}", msgspec.json.encode(note).decode(), _NOTE_KEPT.total_seconds())
        self._notes[key.place] = note
        self._notes.move_to_end(key.place)
        if len(self._notes) > _NOTES:
            self._notes.popitem(last=False)

    @asynccontextmanager
    async def _shared_lock(self, key: str) -> AsyncIterator[bool]:
        owner = secrets.token_hex(8)
        try:
            ours = await self.store.lock(key, owner, _LOCK_SECONDS)
        except StoreDown:
            yield True
            return
        try:
            yield ours
        finally:
            if ours:
                await self._release(key, owner)

    async def _release(self, key: str, owner: str) -> None:
        try:
            await self.store.unlock(key, owner)
        except StoreDown:
            log.debug("lock left to expire", key=key)

    async def _await_other(self, key: CacheKey) -> Envelope | None:
        """Wait for the process that holds the lock; None when it takes too long or its value is not believable."""
        for _ in range(int(_LOCK_SECONDS / 2 / _LOCK_STEP)):
            await asyncio.sleep(_LOCK_STEP)
            found = await self._look(key)
            if found.envelope is not None or found.reason is Reason.ERROR:
                return found.envelope
        return None

    def _told(self, family: str, envelope: Envelope, reason: Reason | None) -> Cached:
        if reason is None:
            self.counters.hit(family)
        else:
            self.counters.miss(family, reason)
        for listener in self.on_lookup:
            listener(family, reason)
        return Cached(
            envelope.value, envelope.generated_at, envelope.expires_at, envelope.version, hit=reason is None,
            reason=reason, release=envelope.release, digest=envelope.digest,
        )  # fmt: skip


def _decoded(text: str | None, kind: Any) -> Any:
    try:
        return None if text is None else msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError):
        return None
