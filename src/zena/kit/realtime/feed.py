"""The events of one tenant as they come, handed to those who listen."""

from collections.abc import Iterable
from uuid import UUID

from zena.kit.logs import get_logger
from zena.kit.realtime.channels import Channel
from zena.kit.realtime.frames import event_frame, frame
from zena.kit.realtime.member import Member, Subscription
from zena.kit.registry import EventRow

log = get_logger(__name__)


class Feed:
    """A tenant with listeners in this process. `position` is the last event that was handed out."""

    def __init__(self, tenant: UUID, position: int) -> None:
        self.tenant = tenant
        self.position = position
        self.epoch = 0  # counts events that changed who may see what
        self.channels: dict[Channel, set[Subscription]] = {}

    @property
    def members(self) -> set[Member]:
        return {ear.member for ears in self.channels.values() for ear in ears}

    def add(self, ear: Subscription) -> None:
        self.channels.setdefault(ear.channel, set()).add(ear)

    def remove(self, ear: Subscription) -> None:
        ears = self.channels.get(ear.channel, set())
        ears.discard(ear)
        if not ears:
            self.channels.pop(ear.channel, None)

    def hand_out(self, row: EventRow) -> None:
        """Tell everybody live; those who still catch up read for themselves."""
        self.tell([ear for ears in self.channels.values() for ear in ears if ear.live], row)
        self.position = row.position

    def tell(self, ears: Iterable[Subscription], row: EventRow) -> None:
        """Post an event to those of these who want it, encoded once per channel."""
        frames: dict[Channel, str] = {}
        marked: dict[Member, None] = {}
        for ear in ears:
            if not wanted(ear, row):
                continue
            if ear.channel not in frames:
                frames[ear.channel] = event_frame(ear.channel, row)
            ear.member.mailbox.post(frames[ear.channel])
            if ear.member.wants_marks:
                marked[ear.member] = None
        for member in marked:
            member.mailbox.post(frame("mark", position=row.position))


def wanted(ear: Subscription, row: EventRow) -> bool:
    """Ask the channel's rule; one that fails shows nothing."""
    try:
        return ear.wants(row)
    except Exception:
        log.exception("channel rule failed", resource=ear.channel.resource, type=row.type)
        return False
