"""Reads the outbox as it grows, for the tenants that have listeners in this process."""

import asyncio
from datetime import datetime
from typing import Final

from zena.kit.clock import Clock
from zena.kit.logs import get_logger
from zena.kit.realtime.feed import Feed
from zena.kit.realtime.hall import Hall
from zena.kit.realtime.outbox import DATABASE_AWAY, Bell
from zena.kit.realtime.watch import Watch
from zena.kit.registry import EventRow

log = get_logger(__name__)

#: Staleness when a notification is lost.
_POLL: Final = 1.0
#: Commits that follow each other closely are read together.
_GATHER: Final = 0.015
_PAUSE: Final = 1.0
_TRY_AGAIN_LATER: Final = 1013

#: Events of these kinds may have taken somebody's sight of something; they are acted upon before they are told. A
#: channel's rule may name more in an attribute `regrant`.
ACCESS_EVENTS: Final = ("access.", "membership.", "token.", "tenant.")


class Tail:
    """One loop per process, woken by the database's bell and in any case each second."""

    def __init__(self, hall: Hall, watch: Watch, clock: Clock) -> None:
        self._hall = hall
        self._watch = watch
        self._clock = clock
        self._bell = Bell(hall.outbox.db)
        self._looked = 0.0  # by the loop's clock, when the outbox was last read without a fault
        self.last_age: float | None = None  # seconds from the last event until it was handed out here

    @property
    def hears(self) -> bool:
        """Whether the database can wake us; otherwise, and while nobody listens here, it is polled."""
        return self._bell.is_heard

    def silent_for(self) -> float:
        """Return the seconds since the outbox was last read; means something only while somebody listens."""
        return round(asyncio.get_running_loop().time() - self._looked, 2)

    def ring(self) -> None:
        """Look at once: somebody new listens."""
        self._bell.ring()

    async def stop(self) -> None:
        await self._bell.hush()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._looked = loop.time()
        while True:
            try:
                await self._turn()
                self._looked = loop.time()
            except DATABASE_AWAY as error:
                self._hall.counts["outages"] += 1
                log.warning("outbox not readable", error=type(error).__name__)
                await asyncio.sleep(_PAUSE)
            except Exception:
                log.exception("reading the outbox failed")
                await asyncio.sleep(_PAUSE)
            if self._hall.feeds:
                await self._bell.wait(_POLL)
            else:
                await self._bell.hush()
                await self._bell.wait(None)
                self._looked = loop.time()  # nobody waited for it until now

    async def _turn(self) -> None:
        if not self._hall.feeds:
            return
        await self._bell.listen()
        heads = await self._hall.outbox.heads(self._hall.feeds)
        for tenant, head in heads.items():
            feed = self._hall.feeds.get(tenant)
            if feed is not None:
                await self._advance(feed, head)
        await asyncio.sleep(_GATHER)

    async def _advance(self, feed: Feed, head: int) -> None:
        if head < feed.position:
            self._restart(feed)
        while feed.position < head and feed.channels:
            rows = await self._hall.outbox.events(feed.tenant, feed.position, head)
            if not rows or rows[0].position != feed.position + 1:
                self._restart(feed)
                return
            for row in rows:
                if self._concerns_access(row):
                    feed.epoch += 1
                    await self._watch.look_after(feed.members)
                feed.hand_out(row)
                self._note_age(row)
                await asyncio.sleep(0)  # lets the mailboxes drain: a bulk change is no reason to call a reader slow
            self._hall.counts["events"] += len(rows)

    def _note_age(self, row: EventRow) -> None:
        age = max(0.0, (self._clock.now() - datetime.fromisoformat(row.at)).total_seconds())
        self.last_age = round(age, 3)
        self._hall.outbox.db.telemetry.delivered(age)

    def _concerns_access(self, row: EventRow) -> bool:
        if row.type.startswith(ACCESS_EVENTS):
            return True
        return any(row.type in getattr(rule, "regrant", ()) for rule in self._hall.rules.values())

    def _restart(self, feed: Feed) -> None:
        """Positions mean nothing any more: a restored database, or a trimmed outbox. Clients begin anew."""
        for member in feed.members:
            member.end(_TRY_AGAIN_LATER, "positions have changed")
