"""The live connection of one process: who is in, what they hear, and how they catch up."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from zena.kit.clock import Clock
from zena.kit.db import Database, Raw
from zena.kit.errors import Problem
from zena.kit.realtime.channels import Channel, ChannelRefused
from zena.kit.realtime.doorman import Doorman, Entrant
from zena.kit.realtime.feed import Feed
from zena.kit.realtime.frames import frame
from zena.kit.realtime.hall import Hall
from zena.kit.realtime.limits import LimitReachedError, Limits, Meter
from zena.kit.realtime.member import Member, Subscription
from zena.kit.realtime.seats import Seats
from zena.kit.realtime.tail import Tail
from zena.kit.realtime.watch import Watch
from zena.kit.registry import Registry
from zena.kit.sought import Sought
from zena.kit.visit import current_visit

TRY_AGAIN_LATER: Final = 1013
#: The server's own word for it; it comes with a pause to take before the next attempt.
SERVICE_RESTART: Final = 1012

#: Longest time for the last words to sockets when the process stops.
_FAREWELL: Final = 1.0
#: Longest time for the hub's own tasks to end; a connection that is given back to a hanging database takes some.
_STOPPING: Final = 3.0
#: A reader that makes no room in its mailbox for this long during a replay is given up.
_STALLED: Final = 30.0
#: Pauses told to those who are sent away at a restart: up to a second, more where many come again, 30 at most.
_SHORTEST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_A_SECOND: Final = 200  # so many may come again in each


class Hub(Hall):
    """One per web process. Members join, subscribe to channels, and are told events in order, without gap or repeat."""

    def __init__(
        self, db: Database, registry: Registry, doorman: Doorman, clock: Clock, limits: Limits | None = None
    ) -> None:
        super().__init__(db, registry, doorman, clock, limits or Limits())
        self.clock = clock
        self.strangers = 0
        self.is_closed = False
        self.closing: set[asyncio.Task[None]] = set()
        self.is_leaving = False
        self._crowd = 0  # who was here when we began to leave
        self.watch = Watch(self)
        self.tail = Tail(self, self.watch, clock)
        self.seats = Seats(db, self.limits)
        self._present: Counter[UUID] = Counter()
        self._meters: dict[UUID, Meter] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def limit(self, limits: Limits) -> None:
        """Hold whoever comes from now on to these limits."""
        self.limits = self.seats.limits = limits

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(part.run()) for part in (self.tail, self.watch, self.seats)]

    async def farewell(self) -> None:
        """Let nobody in any more and tell everybody to come again elsewhere; return when they have been told."""
        self.is_leaving = True
        self._crowd = max(self._crowd, len(self.members))
        for member in list(self.members):
            member.end(SERVICE_RESTART, "restarting")
        if self.closing:
            await asyncio.wait(self.closing, timeout=_FAREWELL)

    async def stop(self) -> None:
        """Stop reading and watching; whoever is still here is told first."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOPPING)
        await self.farewell()
        await self.tail.stop()
        await self.seats.stop()

    def close(self, *, closed: bool) -> None:
        """Send everybody away until it is opened again; they are told to come back later."""
        self.is_closed = closed
        if closed:
            for member in list(self.members):
                member.end(TRY_AGAIN_LATER, "maintenance")

    async def join(self, member: Member) -> None:
        """Count a listener in, or raise LimitReachedError."""
        self._check_open()
        scope = member.entrant.scope
        seat = await self.seats.take(scope.tenant, scope.user)
        try:
            self._check_open()  # it may have closed meanwhile
        except LimitReachedError:
            self.seats.give_back(seat)
            raise
        member.seat = seat
        self.members.add(member)
        self._present[scope.tenant] += 1

    def leave(self, member: Member) -> None:
        """Forget a listener; nothing is told to it from here on. Leaving twice is leaving once."""
        for channel in list(member.subscriptions):
            self.unsubscribe(member, channel)
        if member not in self.members:
            return
        self.members.discard(member)
        if member.seat is not None:
            self.seats.give_back(member.seat)
        tenant = member.entrant.scope.tenant
        self._present[tenant] -= 1
        if not self._present[tenant]:
            del self._present[tenant]
            self._meters.pop(tenant, None)

    def may_speak(self, member: Member, now: float) -> bool:
        """Tell whether the member's tenant has messages left this second."""
        meter = self._meters.setdefault(member.entrant.scope.tenant, Meter(self.limits.messages_per_tenant))
        return meter.allows(now)

    async def authorize(self, connection: Raw, entrant: Entrant, name: str) -> tuple[Channel, Any]:
        """Return the channel and what its rule grants, on a connection bound to the tenant; or raise ChannelRefused."""
        channel = Channel.parse(name)
        if channel is None or channel.resource not in self.rules:
            raise ChannelRefused("invalid_channel", "There is no such channel.")
        if channel.tenant != entrant.scope.tenant:
            self.counts["cross_tenant"] += 1
            self._note(entrant, [("tenant", str(channel.tenant))])
            raise ChannelRefused("cross_tenant", "This channel belongs to another firm.")
        try:
            allowed = await self.rules[channel.resource].allow(connection, entrant.scope, channel.object_id)
        except Problem as problem:
            self._note(entrant, problem.sought)
            raise ChannelRefused.of(problem) from problem
        return channel, allowed

    async def subscribe(self, member: Member, names: Sequence[str], since: int | None) -> None:
        """Let a member hear channels: first everything after `since`, then what comes. Raises ChannelRefused.

        Several channels are caught up together, so that positions never step back.
        """
        if len(member.subscriptions) + len(names) > self.limits.subscriptions:
            raise ChannelRefused("rate_limited", "Too many channels on one connection.")
        scope = member.entrant.scope
        known = self.feeds.get(scope.tenant)
        epoch = known.epoch if known else 0
        async with self.outbox.bound(scope.tenant, scope.user) as connection:
            head = await self.outbox.head(connection, scope.tenant)
            grants = [await self.authorize(connection, member.entrant, name) for name in names]
        if member not in self.members:
            return  # ended meanwhile
        recovered = since is not None and head - self.limits.replay_events <= since <= head
        cursor = since if since is not None and recovered else head
        feed = self.feeds.setdefault(scope.tenant, Feed(scope.tenant, head))
        ears = [self._attach(feed, member, channel, allowed, cursor) for channel, allowed in grants]
        self.tail.ring()
        for ear in ears:
            told = frame("subscription", channel=str(ear.channel), position=cursor, recovered=recovered)
            member.mailbox.post(told)
        if feed.epoch != epoch:
            await self.watch.recheck([member])  # somebody's rights changed while we asked for these
        await self._catch_up(feed, member, ears)

    def pause(self) -> float:
        """Return the seconds after which one listener should come again: spread, so that not all come at once."""
        return round(random.uniform(0.1, min(_LONGEST_PAUSE, _SHORTEST_PAUSE + self._crowd / _A_SECOND)), 2)  # noqa: S311 - no secret

    def give_up(self, member: Member) -> None:
        """Send away a reader that does not take what it is told; it comes again and catches up."""
        member.end(TRY_AGAIN_LATER, "too slow")

    def _check_open(self) -> None:
        if self.is_closed:
            raise LimitReachedError("Closed for maintenance.", "closed")
        if self.is_leaving:
            raise LimitReachedError("This server is about to stop. Come again.", "leaving")

    def _attach(self, feed: Feed, member: Member, channel: Channel, allowed: Any, cursor: int) -> Subscription:
        former = member.subscriptions.pop(channel, None)
        if former is not None:
            feed.remove(former)
        ear = Subscription(member, channel, self.rules[channel.resource], allowed, cursor)
        member.subscriptions[channel] = ear
        feed.add(ear)
        return ear

    async def _catch_up(self, feed: Feed, member: Member, ears: list[Subscription]) -> None:
        """Read what was missed until these stand where the feed stands; then they are live.

        Nothing awaits between the comparison and going live, so no event falls between and none comes twice.
        """
        while member in self.members and (cursor := ears[0].cursor) < feed.position:
            rows = await self.outbox.events(feed.tenant, cursor, feed.position)
            if not rows or rows[0].position != cursor + 1:
                self._start_anew(feed, member, ears)
                break
            for row in rows:
                feed.tell([ear for ear in ears if member.subscriptions.get(ear.channel) is ear], row)
                for ear in ears:
                    ear.cursor = row.position
                if member.mailbox.is_crowded:
                    await self._room(member)
        for ear in ears:
            ear.live = True

    def _start_anew(self, feed: Feed, member: Member, ears: list[Subscription]) -> None:
        """What was missed is trimmed away: the client has to read everything anew."""
        for ear in ears:
            ear.cursor = feed.position
            told = frame("subscription", channel=str(ear.channel), position=feed.position, recovered=False)
            member.mailbox.post(told)

    async def _room(self, member: Member) -> None:
        try:
            async with asyncio.timeout(_STALLED):
                await member.mailbox.room()
        except TimeoutError:
            self.give_up(member)

    def _note(self, entrant: Entrant, sought: Sequence[tuple[str, str]]) -> None:
        """Hand on what was asked for and is not this firm's."""
        visit, scope = current_visit(), entrant.scope
        if scope.user is None or visit is None:
            return
        who = scope.tenant, scope.user, entrant.session or entrant.token
        for kind, reference in sought:
            told = Sought(*who, kind, reference, f"subscribe {visit.path}", visit.request_id, visit.client)
            self.outbox.db.telemetry.sought(told)
