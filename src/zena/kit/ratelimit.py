"""How often somebody may do something.

Signed-in callers: token buckets in this process, settled about once a second with the other processes through
PostgreSQL. Sign-in and anonymous callers: exact counters in PostgreSQL (throttle.py), which survive a restart.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from zena.kit.errors import RateLimited

_MAX_KEYS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` per `seconds`; the bucket holds as many, so a burst of `count` is fine after a quiet time."""

    count: int
    seconds: float = 60.0

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class Allowance:
    """The answer to one attempt. `wait` is zero where it was allowed."""

    limit: int
    remaining: int
    reset: float
    wait: float = 0.0

    @property
    def allowed(self) -> bool:
        return self.wait <= 0

    def headers(self) -> dict[str, str]:
        """The RateLimit-* headers for the answer."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.remaining)),
            "RateLimit-Reset": str(math.ceil(max(0.0, self.reset))),
        }

    def check(self, detail: str | None = None) -> "Allowance":
        """Raise RateLimited unless allowed."""
        if not self.allowed:
            problem = RateLimited(max(1, math.ceil(self.wait)), detail)
            problem.headers.update(self.headers())
            raise problem
        return self


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    limit: Limit
    unsettled: float = 0.0

    def refill(self, now: float) -> None:
        self.tokens = min(float(self.limit.count), self.tokens + (now - self.at) * self.limit.per_second)
        self.at = now


@dataclass(slots=True)
class Buckets:
    """The buckets of this process, the least recently used dropped beyond 50,000.

    The three limits are requests per minute of one person, one tenant, one address. `clock` is monotonic, in seconds.
    """

    user: int = 600
    tenant: int = 6_000
    anonymous: int = 120
    clock: Callable[[], float] = time.monotonic
    max_keys: int = _MAX_KEYS
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def admit(self, *, user: object = None, tenant: object = None, address: str | None = None) -> Allowance:
        """Count one request of a person in a tenant, or of an address; return the tighter allowance."""
        if user is None:
            return self.take(f"address:{address}", Limit(self.anonymous))
        own = self.take(f"user:{user}", Limit(self.user))
        if tenant is None or not own.allowed:
            return own
        shared = self.take(f"tenant:{tenant}", Limit(self.tenant))
        return shared if not shared.allowed or shared.remaining < own.remaining else own

    def take(self, key: str, limit: Limit, cost: float = 1.0) -> Allowance:
        """Take `cost` tokens from the bucket of `key` if they are there."""
        now = self.clock()
        bucket = self._bucket(key, limit, now)
        enough = bucket.tokens >= cost
        if enough:
            bucket.tokens -= cost
            bucket.unsettled += cost
        full_in = (limit.count - bucket.tokens) / limit.per_second
        wait = 0.0 if enough else (cost - bucket.tokens) / limit.per_second
        return Allowance(limit.count, int(bucket.tokens), full_in, wait)

    def spent(self) -> dict[str, float]:
        """Return what was taken here since the last call, by key: what this process tells the others."""
        found = {key: bucket.unsettled for key, bucket in self._buckets.items() if bucket.unsettled}
        for key in found:
            self._buckets[key].unsettled = 0.0
        return found

    def charge(self, key: str, tokens: float) -> None:
        """Take what other processes spent; a bucket may owe at most one filling."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.refill(self.clock())
            bucket.tokens = max(-float(bucket.limit.count), bucket.tokens - tokens)

    def _bucket(self, key: str, limit: Limit, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None or bucket.limit != limit:
            bucket = self._buckets[key] = _Bucket(float(limit.count), now, limit)
            if len(self._buckets) > self.max_keys:
                self._buckets.popitem(last=False)
            return bucket
        self._buckets.move_to_end(key)
        bucket.refill(now)
        return bucket
