"""How many listen over all processes: a seat is a row, and counts only while its process is heard of.

A seat is taken under a lock of its firm, so the limits hold whoever comes at the same time and wherever. The seats of a
killed process count no more five seconds later, and are swept away by the others within a minute.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from zena.kit.db import Database, Raw
from zena.kit.ids import new_id
from zena.kit.logs import get_logger
from zena.kit.realtime.limits import LimitReachedError, Limits
from zena.kit.realtime.outbox import DATABASE_AWAY

log = get_logger(__name__)

#: A process with listeners says so often that it is there, seconds.
EVERY: Final = 1.0
_PAUSE: Final = 1.0
#: Longest time to give everything back when the process stops.
_STOPPING: Final = 1.0

_READ_WRITE: Final = "SET TRANSACTION READ WRITE"  # people listen also while changes are switched off
_ENTER: Final = "SELECT set_config('app.tenant', $1, true)"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('live seats of ' || $1, 0))"
_TAKEN: Final = """
SELECT count(*) AS firm, count(*) FILTER (WHERE s.person = $2) AS person
  FROM ops.live_seat s JOIN ops.live_process p ON p.process = s.process
 WHERE s.tenant = $1 AND s.id <> ALL ($3::uuid[]) AND p.seen_at > clock_timestamp() - interval '5 seconds'
"""
_SIT: Final = """
INSERT INTO ops.live_seat (id, process, tenant, person)
SELECT s.id, $1, $2, s.person FROM unnest($3::uuid[], $4::uuid[]) AS s (id, person) ON CONFLICT DO NOTHING
"""
_RISE: Final = "DELETE FROM ops.live_seat WHERE tenant = $1 AND id = ANY ($2)"
_HERE: Final = "UPDATE ops.live_process SET seen_at = clock_timestamp() WHERE process = $1 RETURNING true"
_APPEAR: Final = "INSERT INTO ops.live_process (process, seen_at) VALUES ($1, clock_timestamp()) ON CONFLICT DO NOTHING"
_SWEEP: Final = "DELETE FROM ops.live_process WHERE seen_at < clock_timestamp() - interval '1 minute'"
_GO: Final = "DELETE FROM ops.live_process WHERE process = $1"


class Seats:
    """The seats of one process. What cannot be written while the database is away is written when it is back."""

    def __init__(self, db: Database, limits: Limits) -> None:
        self.limits = limits
        self._db = db
        self._process = new_id()
        self._taken: dict[UUID, tuple[UUID, UUID | None]] = {}  # seat: firm and person
        self._left: dict[UUID, UUID] = {}  # seat: firm
        self._seen = float("-inf")  # by the loop's clock, when we last said that we are here
        self._wake = asyncio.Event()

    async def take(self, tenant: UUID, person: UUID | None) -> UUID:
        """Return a seat for one more listener, or raise LimitReachedError."""
        seat = new_id()
        try:
            async with self._db.lend() as conn, conn.transaction():
                await conn.execute(_READ_WRITE)
                if asyncio.get_running_loop().time() - self._seen > 2 * EVERY:
                    await self._say_here(conn)
                await conn.execute(_ENTER, str(tenant))
                await conn.execute(_LOCK, str(tenant))
                refusal = self._refusal(await conn.fetchrow(_TAKEN, tenant, person, list(self._left)))
                if refusal is None:
                    await conn.execute(_SIT, self._process, tenant, [seat], [person])
        except BaseException:
            self._leave(seat, tenant)  # it may have been written all the same
            raise
        if refusal is not None:
            raise refusal
        self._taken[seat] = tenant, person
        self._wake.set()
        return seat

    def give_back(self, seat: UUID) -> None:
        """Leave a seat; it is free for others in a moment."""
        taken = self._taken.pop(seat, None)
        if taken is not None:
            self._leave(seat, taken[0])

    async def run(self) -> None:
        """Say each second that we are here, and write at once which seats are free again."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY if self._taken or self._left else None):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._settle()
            except DATABASE_AWAY as error:
                log.warning("seats of listeners not written", error=type(error).__name__)
                await asyncio.sleep(_PAUSE)

    async def stop(self) -> None:
        """Give everything back. Where that is not possible at once the seats expire."""
        going = asyncio.create_task(self._go())
        _, late = await asyncio.wait([going], timeout=_STOPPING)
        for task in late:
            task.cancel()  # not waited for: a connection that is given back to a hanging database takes some time

    async def _go(self) -> None:
        with suppress(*DATABASE_AWAY):
            async with self._db.lend() as conn, conn.transaction():
                await conn.execute(_READ_WRITE)
                await conn.execute(_GO, self._process)

    async def _settle(self) -> None:
        left = dict(self._left)
        async with self._db.lend() as conn, conn.transaction():
            await conn.execute(_READ_WRITE)
            for tenant, seats in _by_firm(left.items()).items():
                await conn.execute(_ENTER, str(tenant))
                await conn.execute(_RISE, tenant, seats)
            await self._say_here(conn)
            await conn.execute(_SWEEP)
        for seat in left:
            del self._left[seat]

    async def _say_here(self, conn: Raw) -> None:
        """Renew our sign of life. Where it was forgotten meanwhile, everybody here takes their seat again."""
        if not await conn.fetchval(_HERE, self._process):
            await conn.execute(_APPEAR, self._process)
            firms = _by_firm((seat, tenant) for seat, (tenant, _) in self._taken.items())
            for tenant, seats in firms.items():
                people = [self._taken[seat][1] for seat in seats]
                await conn.execute(_ENTER, str(tenant))
                await conn.execute(_SIT, self._process, tenant, seats, people)
        self._seen = asyncio.get_running_loop().time()

    def _refusal(self, taken: Any) -> LimitReachedError | None:
        if taken["firm"] >= self.limits.connections_per_tenant:
            return LimitReachedError("This firm has too many live connections.", "firm_full")
        if taken["person"] >= self.limits.connections_per_user:
            return LimitReachedError("You have too many live connections.", "person_full")
        return None

    def _leave(self, seat: UUID, tenant: UUID) -> None:
        self._left[seat] = tenant
        self._wake.set()


def _by_firm(seats: Iterable[tuple[UUID, UUID]]) -> dict[UUID, list[UUID]]:
    found: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for seat, tenant in seats:
        found[tenant].append(seat)
    return found
