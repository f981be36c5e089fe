"""Whether this process takes requests and work, as it last read it from the database."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from zena.kit.errors import Maintenance
from zena.kit.i18n import N_


class Mode(StrEnum):
    """How far the installation is open."""

    UP = "up"
    READ_ONLY = "read_only"  # reading goes on, changes are refused
    DOWN = "down"  # nobody but operators


@dataclass(frozen=True, slots=True)
class Standing:
    """What an operator has declared. `message` follows our own sentence; `retry_after` is in seconds."""

    mode: Mode = Mode.UP
    message: str = ""
    retry_after: int = 60
    since: datetime | None = None


@dataclass(slots=True)
class Gate:
    """The process's copy of the standing: reading it costs nothing, and it is at most a second old."""

    standing: Standing = field(default_factory=Standing)

    @property
    def mode(self) -> Mode:
        return self.standing.mode

    @property
    def is_up(self) -> bool:
        return self.standing.mode is Mode.UP

    @property
    def notice(self) -> str:
        """What is said on every page; empty when all is open."""
        message = self.standing.message
        match self.mode, bool(message):
            case Mode.READ_ONLY, False:
                return N_("Changes are switched off for the moment; reading works.")
            case Mode.READ_ONLY, True:
                return N_("Changes are switched off for the moment; reading works. %(message)s", message=message)
            case Mode.DOWN, False:
                return N_("Zena is closed for maintenance. Your work up to now is safe.")
            case Mode.DOWN, True:
                return N_("Zena is closed for maintenance. Your work up to now is safe. %(message)s", message=message)
        return ""

    def refusal(self) -> Maintenance:
        """Return the refusal to raise while not up."""
        return Maintenance(self.notice or None, retry_after=self.standing.retry_after)
