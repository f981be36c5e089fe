"""Exact counters of attempts in PostgreSQL: they survive restarts, rollbacks (through `ledger`) and a changing process.

Time is the database's. Keys are keyed hashes, so that a dump of the table names no address and no account.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.db import Database
from zena.kit.logs import get_logger
from zena.kit.ratelimit import Allowance, Buckets, Limit
from zena.kit.uow import ledger

log = get_logger(__name__)

_SETTLE_SECONDS: Final = 60

_BLOCKED: Final = text(
    "SELECT coalesce(max(extract(epoch FROM blocked_until - statement_timestamp())), 0)::float8"
    " FROM throttle WHERE key = ANY(:keys) AND blocked_until > statement_timestamp()"
)
_FAIL: Final = text("""
    INSERT INTO throttle AS t (key, window_start, count, blocked_until)
    VALUES (:key, statement_timestamp(), 1, NULL)
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN t.window_start > statement_timestamp() - make_interval(secs => :window)
            THEN t.count + 1 ELSE 1 END,
        window_start = CASE WHEN t.window_start > statement_timestamp() - make_interval(secs => :window)
            THEN t.window_start ELSE statement_timestamp() END
    RETURNING t.count
""")
_BLOCK: Final = text(
    "UPDATE throttle SET blocked_until = statement_timestamp() + make_interval(secs => :seconds) WHERE key = :key"
)
_FORGIVE: Final = text("DELETE FROM throttle WHERE key = ANY(:keys)")
_HIT: Final = text("""
    INSERT INTO throttle AS t (key, window_start, count)
    VALUES (:key, date_bin(make_interval(secs => :window), statement_timestamp(), 'epoch'), 1)
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN t.window_start = excluded.window_start THEN t.count + 1 ELSE 1 END,
        window_start = excluded.window_start
    RETURNING t.count,
        extract(epoch FROM t.window_start + make_interval(secs => :window) - statement_timestamp())::float8
""")
_SETTLE: Final = text("""
    INSERT INTO throttle AS t (key, window_start, count)
    SELECT key, date_bin(make_interval(secs => :window), statement_timestamp(), 'epoch'), spent
    FROM unnest(CAST(:keys AS bytea[]), CAST(:spent AS bigint[])) AS mine (key, spent) ORDER BY key
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN t.window_start = excluded.window_start THEN t.count + excluded.count ELSE excluded.count END,
        window_start = excluded.window_start
    RETURNING t.key, t.count, t.window_start
""")
_SWEEP: Final = text(
    "DELETE FROM throttle WHERE window_start < statement_timestamp() - make_interval(secs => :age)"
    " AND (blocked_until IS NULL OR blocked_until < statement_timestamp())"
)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits after failures: none for the first `free` within `window` seconds, then doubling from `base` up to `cap`.

    A wait, never a lock: nobody can shut another person out for longer than `cap`.
    """

    free: int = 5
    base: float = 2.0
    cap: float = 300.0
    window: float = 900.0

    def wait(self, failures: int) -> float:
        """Return how long to wait after so many failures."""
        over = failures - self.free
        return 0.0 if over <= 0 else min(self.cap, self.base * 2.0 ** min(over - 1, 30))


def throttle_key(secret: bytes, *parts: str) -> bytes:
    """Return the key of a counter, e.g. `throttle_key(secret, "sign-in", email, address)`."""
    message = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode("utf-8", "replace") for part in parts))
    return hmac.digest(secret, b"zena throttle v1" + message, hashlib.sha256)


async def blocked_for(session: AsyncSession, keys: Sequence[bytes]) -> float:
    """Return for how many seconds any of the keys must still wait; 0 for none."""
    return float((await session.execute(_BLOCKED, {"keys": list(keys)})).scalar_one())


async def record_failure(session: AsyncSession, key: bytes, backoff: Backoff) -> float:
    """Count a failure and return the wait it costs. Give it a `ledger` session: a rollback must not undo it (C08)."""
    failures = int((await session.execute(_FAIL, {"key": key, "window": backoff.window})).scalar_one())
    wait = backoff.wait(failures)
    if wait > 0:
        await session.execute(_BLOCK, {"key": key, "seconds": wait})
    return wait


async def forgive(session: AsyncSession, keys: Sequence[bytes]) -> None:
    """Forget the failures of these keys, after a success."""
    await session.execute(_FORGIVE, {"keys": list(keys)})


async def count_hit(session: AsyncSession, key: bytes, limit: Limit) -> Allowance:
    """Count one attempt in a fixed window, exactly over all processes."""
    count, left = (await session.execute(_HIT, {"key": key, "window": limit.seconds})).one()
    return Allowance(limit.count, limit.count - int(count), float(left), float(left) if count > limit.count else 0.0)


async def sweep_throttle(session: AsyncSession, older_than: float = 86_400) -> int:
    """Delete counters that no longer matter and return how many (H08)."""
    found = await session.execute(_SWEEP, {"age": older_than})
    return int(getattr(found, "rowcount", 0))


@dataclass(slots=True)
class Settler:
    """Keeps the buckets of several processes honest: tells what was spent here, charges what was spent elsewhere."""

    db: Database
    buckets: Buckets
    secret: Callable[[], bytes]
    _known: dict[bytes, tuple[object, int]] = field(default_factory=dict)

    async def run(self, every: float = 1.0) -> None:
        """Settle until cancelled. Without a database the buckets stay local, which only makes limits looser."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.settle()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("rate limits not settled", error=type(error).__name__)

    async def settle(self) -> None:
        """Exchange what was spent since the last time."""
        taken, secret = self.buckets.spent(), self.secret()
        spent = {throttle_key(secret, "bucket", name): (name, round(tokens)) for name, tokens in taken.items()}
        if not spent:
            return
        async with ledger(self.db) as session:
            rows = await session.execute(
                _SETTLE, {"window": _SETTLE_SECONDS, "keys": list(spent), "spent": [mine for _, mine in spent.values()]}
            )
            totals = {bytes(key): (start, int(count)) for key, count, start in rows}
        for key, (start, total) in totals.items():
            name, mine = spent[key]
            window, before = self._known.get(key, (start, 0))
            self.buckets.charge(name, max(0, total - mine - (before if window == start else 0)))
        self._known = totals
