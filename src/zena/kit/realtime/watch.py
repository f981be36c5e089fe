"""Looks after those who are in: a session that ended, a role that changed, a peer that fell silent."""

import asyncio
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from zena.kit.db import Raw
from zena.kit.errors import Problem
from zena.kit.logs import get_logger
from zena.kit.realtime.channels import ChannelRefused
from zena.kit.realtime.frames import error_frame, frame
from zena.kit.realtime.hall import Hall
from zena.kit.realtime.member import Member, Subscription
from zena.kit.realtime.outbox import DATABASE_AWAY

log = get_logger(__name__)

#: A revoked session, token or membership is noticed within this, whatever revoked it.
_EVERY: Final = 1.0
#: Subscriptions rechecked per round; spreads the load of many listeners.
_AT_ONCE: Final = 200

_TIMED_OUT: Final = 4408
_TRY_AGAIN_LATER: Final = 1013

_REASONS: Final = {4401: "signed out", 4403: "access changed"}


class Watch:
    """The rounds of one hub."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._last_round = 0.0

    async def run(self) -> None:
        """Make a round each second. Without a successful one for a minute nobody stays: rights could not be checked."""
        loop = asyncio.get_running_loop()
        self._last_round = loop.time()
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self._round(loop.time())
                self._last_round = loop.time()
            except DATABASE_AWAY as error:
                log.warning("listeners not checked", error=type(error).__name__)
            except Exception:
                log.exception("checking listeners failed")
            if loop.time() - self._last_round > self._hall.limits.timeout_seconds:
                self._end_all()

    async def look_after(self, members: Iterable[Member]) -> None:
        """Check who these are and what they may see, now."""
        everybody = list(members)
        await self._dismiss(everybody)
        await self.recheck([member for member in everybody if member in self._hall.members])

    async def recheck(self, members: Iterable[Member]) -> None:
        """Ask each subscription's rule again; what it refuses is ended."""
        now = asyncio.get_running_loop().time()
        by_tenant = sorted(members, key=lambda member: member.entrant.scope.tenant)
        for tenant, group in groupby(by_tenant, key=lambda member: member.entrant.scope.tenant):
            async with self._hall.outbox.bound(tenant) as connection:
                for member in group:
                    await self._hall.outbox.bind(connection, tenant, member.entrant.scope.user)
                    for subscription in list(member.subscriptions.values()):
                        await self._recheck_one(connection, subscription)
                    member.checked_at = now

    async def _round(self, now: float) -> None:
        limits = self._hall.limits
        for member in list(self._hall.members):
            if member.must_speak and now - member.heard_at > limits.timeout_seconds:
                member.end(_TIMED_OUT, "no ping")
        await self._dismiss(list(self._hall.members))
        due = [member for member in self._hall.members if now - member.checked_at > limits.recheck_seconds]
        due.sort(key=lambda member: member.checked_at)
        await self.recheck(due[:_AT_ONCE])

    async def _dismiss(self, members: list[Member]) -> None:
        if not members:
            return
        lapsed = await self._hall.doorman.lapsed([member.entrant for member in members])
        for member in members:
            code = lapsed.get(member.entrant.key)
            if code is not None:
                self._hall.counts["dismissed"] += 1
                member.end(code, _REASONS.get(code, "access changed"))

    async def _recheck_one(self, connection: Raw, subscription: Subscription) -> None:
        member, channel = subscription.member, subscription.channel
        try:
            subscription.allowed = await subscription.rule.allow(connection, member.entrant.scope, channel.object_id)
        except Problem as problem:
            if self._hall.unsubscribe(member, channel):
                member.mailbox.post(error_frame(ChannelRefused.of(problem).code, problem.detail, str(channel)))
                member.mailbox.post(frame("unsubscription", channel=str(channel)))

    def _end_all(self) -> None:
        for member in list(self._hall.members):
            member.end(_TRY_AGAIN_LATER, "rights could not be checked")
