"""Which channel a line belongs to: its logger decides."""

from collections.abc import Mapping
from typing import Final

#: Everything else is `app`. A name covers what is below it.
LOGGERS: Final = {
    "audit": ("zena.audit",),
    "security": ("zena.security",),
    "performance": ("zena.requests", "zena.statements"),
    "jobs": ("zena.jobs", "zena.kit.queue", "zena.operate.jobs", "pgqueuer"),
}
APP: Final = "app"
CHANNELS: Final = (APP, *LOGGERS)
#: Its lines only prove that lines arrive: they go to files alone, and count as no error.
CANARY: Final = "zena.canary"
_BY_LOGGER: Final = {name: channel for channel, names in LOGGERS.items() for name in names}
_known: dict[str, str] = {}


def channel_of(logger: str) -> str:
    """Return the channel of a logger: that of the nearest name above it that has one."""
    found = _known.get(logger)
    if found is None:
        parts = logger.split(".")
        above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        found = _known[logger] = next((_BY_LOGGER[name] for name in above if name in _BY_LOGGER), APP)
    return found


def parsed(channels: tuple[str, ...], level: str) -> Mapping[str, str]:
    """Return the least severity of each channel that is written, from `name` and `name=level`."""
    pairs = (item.partition("=") for item in channels)
    return {name: own or level for name, _, own in pairs}
