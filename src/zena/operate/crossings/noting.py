"""What was asked for and not found, kept in memory and written every few seconds. Nothing here knows whose it is.

A process writes ids into a table that it cannot read: it never learns whether another firm has them. Memory, rows and
repeats are bounded, so that a flood costs next to nothing; what is left out is counted.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from zena.kit.beside import beside
from zena.kit.clock import Clock
from zena.kit.db import Database
from zena.kit.ids import new_id
from zena.kit.logs import get_logger
from zena.kit.realtime.outbox import DATABASE_AWAY
from zena.kit.sought import Sought

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

EVERY: Final = 2.0
#: The same thing asked for again by the same person within this is one attempt.
AGAIN: Final = timedelta(minutes=10)
#: Things of one person between two writings. Five within ten minutes are grave: more say nothing more.
EACH: Final = 20
#: Things of everybody between two writings.
MOST: Final = 2_000
REMEMBERED: Final = 10_000
#: Rows that may wait for a worker, of all processes together.
WAITING: Final = 20_000
_TEXT: Final = 200

_WRITE: Final = """
INSERT INTO ops.sought (id, at, tenant, person, way, kind, reference, route, request_id, client)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::text[]) AS s
 WHERE (SELECT count(*) FROM (SELECT at FROM ops.sought LIMIT $11) AS waiting) < $11
"""


class Noted(NamedTuple):
    id: UUID
    at: datetime
    what: Sought


class Noting:
    """The listener of one process. Runs on the loop's thread: it neither blocks nor awaits."""

    def __init__(self, clock: Clock) -> None:
        self.waiting: list[Noted] = []
        self.dropped = 0
        self._clock = clock
        self._asked: dict[tuple[UUID, UUID, str], datetime] = {}  # the oldest first
        self._each: Counter[tuple[UUID, UUID]] = Counter()

    def hear(self, what: Sought) -> None:
        """Keep this until it is written, unless it was asked for a moment ago or too much waits already."""
        now, person = self._clock.now(), (what.tenant, what.user)
        key = (*person, what.reference.lower())
        if now - self._asked.get(key, datetime.min.replace(tzinfo=now.tzinfo)) < AGAIN:
            return
        if self._each[person] >= EACH or len(self.waiting) >= MOST:
            self.dropped += 1
            return
        self._each[person] += 1
        self._asked.pop(key, None)
        self._asked[key] = now
        if len(self._asked) > REMEMBERED:
            del self._asked[next(iter(self._asked))]
        self.waiting.append(Noted(new_id(), now, what))

    async def write(self, db: Database) -> None:
        """Write what waits. A database that does not take it loses nothing: it is tried again the next time."""
        noted = self.waiting[:MOST]
        self._each.clear()
        if not noted:
            return
        rows = [(one.id, one.at, *_row(one.what)) for one in noted]
        async with db.lend() as conn, conn.transaction():
            await conn.execute("SET TRANSACTION READ WRITE")  # also while changes are switched off
            await conn.execute(_WRITE, *map(list, zip(*rows, strict=True)), WAITING)
        del self.waiting[: len(noted)]

    async def run(self, db: Database) -> None:
        """Write every few seconds until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.write(db)
            except DATABASE_AWAY as error:
                log.warning("what was not found is not written yet", error=type(error).__name__)


@asynccontextmanager
async def noting(state: "State") -> AsyncIterator[Noting]:
    """Note in this process during the block; what waits at its end is written."""
    notes = Noting(state.clock)
    state.telemetry.on_sought.append(notes.hear)
    try:
        async with beside(notes.run(state.db)):
            yield notes
    finally:
        state.telemetry.on_sought.remove(notes.hear)
        with suppress(*DATABASE_AWAY):
            await notes.write(state.db)


def _row(what: Sought) -> tuple[UUID, UUID, UUID | None, str, str, str, str, str]:
    texts = [text.replace("\0", "")[:_TEXT] for text in what[3:]]
    kind, reference, route, request_id, client = texts
    return what.tenant, what.user, what.way, kind, reference, route, request_id, client
