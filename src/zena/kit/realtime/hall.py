"""What the parts of one live connection share: who is in, and which tenants are read for them."""

from collections import Counter
from uuid import UUID

from zena.kit.clock import Clock
from zena.kit.db import Database
from zena.kit.realtime.channels import Channel
from zena.kit.realtime.doorman import Doorman
from zena.kit.realtime.feed import Feed
from zena.kit.realtime.limits import Limits
from zena.kit.realtime.member import Member
from zena.kit.realtime.notes import Notes
from zena.kit.realtime.outbox import Outbox
from zena.kit.registry import ChannelRule, Registry


class Hall:
    """The members, the feeds they hear, and the rules."""

    def __init__(self, db: Database, registry: Registry, doorman: Doorman, clock: Clock, limits: Limits) -> None:
        self.outbox = Outbox(db)
        self.rules: dict[str, ChannelRule] = registry.channels
        self.doorman = doorman
        self.limits = limits
        self.members: set[Member] = set()
        self.feeds: dict[UUID, Feed] = {}
        self.counts: Counter[str] = Counter()
        self.notes = Notes(clock, db.telemetry)

    def unsubscribe(self, member: Member, channel: Channel) -> bool:
        """Let a member hear a channel no more; False when it did not."""
        ear = member.subscriptions.pop(channel, None)
        feed = self.feeds.get(channel.tenant)
        if ear is None or feed is None:
            return False
        feed.remove(ear)
        if not feed.channels:
            del self.feeds[channel.tenant]
        return True
