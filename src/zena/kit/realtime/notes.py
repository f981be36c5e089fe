"""What a hub remembers for whoever looks after it: how conversations ended, and what was refused to whom."""

from collections import Counter, deque
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from zena.kit.clock import Clock
from zena.kit.realtime.doorman import Entrant
from zena.kit.telemetry import Telemetry

#: The last so many endings and refusals are kept with whom they concerned; older ones are only counted.
REMEMBERED: Final = 500

#: Codes with which a peer closes. It may send any other number too: those are one kind, or it could make up thousands.
_THEIRS: Final = frozenset({1000, 1001, 1002, 1005, 1006, 1009, 1011, 1012})


class Note(NamedTuple):
    """One ending or refusal: when, of whose connection, and what it was in words without contents."""

    at: datetime
    tenant: UUID
    user: UUID | None
    said: str


class Notes:
    """Counted since the process began. `closes` by code and reason, the reason only where the end came from us."""

    def __init__(self, clock: Clock, telemetry: Telemetry) -> None:
        self.closes: Counter[str] = Counter()
        self.recent: deque[Note] = deque(maxlen=REMEMBERED)
        self._clock = clock
        self._telemetry = telemetry

    def closed(self, code: int, reason: str, entrant: Entrant | None = None) -> None:
        """Note an ending from our side."""
        self._ended(f"{code} {reason}".strip(), entrant)

    def left(self, code: int | None, entrant: Entrant | None = None) -> None:
        """Note that the peer went, with its code; None where it just vanished, which is what 1006 says too."""
        self._ended(str(code or 1006) if code is None or code in _THEIRS else "other", entrant)

    def refused(self, code: str, entrant: Entrant, channel: str) -> None:
        """Note a subscription that was not granted."""
        self._telemetry.live("refused", code)
        self._remember(entrant, f"refused {code} {channel}")

    def entering(self, what: str) -> None:
        """Count an attempt to open a socket: `in`, or what it failed by."""
        self._telemetry.live("enter", what)

    def about(self, tenant: UUID, user: UUID) -> list[Note]:
        """Return what is remembered of one person in one firm, the last first."""
        return [note for note in reversed(self.recent) if (note.tenant, note.user) == (tenant, user)]

    def _ended(self, said: str, entrant: Entrant | None) -> None:
        self.closes[said] += 1
        self._telemetry.live("close", said)
        if entrant is not None:
            self._remember(entrant, f"closed {said}")

    def _remember(self, entrant: Entrant, said: str) -> None:
        scope = entrant.scope
        self.recent.append(Note(self._clock.now(), scope.tenant, scope.user, said))
