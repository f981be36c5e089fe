"""How much one connection, one person and one tenant may ask of the live connection."""

from dataclasses import dataclass


class LimitReachedError(Exception):
    """One connection too many, or too late; `why` is firm_full, person_full, closed or leaving."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of the protocol. Connections are counted over all processes, messages in each."""

    messages_per_connection: int = 10  # per second
    messages_per_tenant: int = 500  # per second
    connections_per_tenant: int = 50
    connections_per_user: int = 10
    subscriptions: int = 100  # per connection
    strangers: int = 500  # connections that have not said who they are
    frame_bytes: int = 65_536
    authenticate_seconds: float = 5.0
    heartbeat_seconds: float = 30.0
    timeout_seconds: float = 60.0
    recheck_seconds: float = 50.0
    replay_events: int = 5_000  # further back the client reads everything anew
    mailbox_frames: int = 1_000
    mailbox_bytes: int = 1_048_576


class Meter:
    """A token bucket of one second."""

    __slots__ = ("at", "left", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.left = float(rate)
        self.at = 0.0

    def allows(self, now: float) -> bool:
        """Take one; False when there is none."""
        self.left = min(float(self.rate), self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True
