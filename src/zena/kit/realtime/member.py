"""One listener: a socket or an event stream, what it listens to, and when it was last looked at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from zena.kit.realtime.channels import Channel
from zena.kit.realtime.doorman import Entrant
from zena.kit.realtime.mailbox import Mailbox
from zena.kit.registry import ChannelRule, EventRow


@dataclass(slots=True, eq=False)
class Member:
    """A listener that has said who it is. `end` closes it with a code and a reason."""

    entrant: Entrant
    mailbox: Mailbox
    end: Callable[[int, str], None]
    heard_at: float
    checked_at: float
    must_speak: bool = True  # sockets prove by pings that somebody is there; an event stream only listens
    seat: UUID | None = None
    wants_marks: bool = False  # is told when all its channels have been told of an event
    subscriptions: "dict[Channel, Subscription]" = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Subscription:
    """A member's ear on one channel. Everything up to `cursor` has been told or is not wanted."""

    member: Member
    channel: Channel
    rule: ChannelRule
    allowed: Any
    cursor: int
    live: bool = False

    def wants(self, row: EventRow) -> bool:
        """Tell whether the event belongs here, for what this member may see."""
        return row.position > self.cursor and self.rule.visible(row, self.channel.object_id, self.allowed)
