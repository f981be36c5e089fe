"""Now and then what was found in the cache is computed again: whether both are the same is measured, not hoped."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from zena.kit.logs import get_logger

log = get_logger(__name__)

#: Seconds between two of them in one process: each costs what a miss costs.
EVERY: Final = 5.0

#: Family, the firm, why the found value is wrong ("": it is right), and the names of the fields that differ.
ShadowSeen = Callable[[str, UUID, str, Sequence[str]], None]


@dataclass(slots=True)
class Shadow:
    """When a found value is to be computed again, and who is told of the result. Nobody listening, nothing computed."""

    every: float = EVERY
    listeners: list[ShadowSeen] = field(default_factory=list)
    turn: int = 0
    _last: float = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next."""
        return bool(self.listeners) and time.monotonic() >= self._last + self.every

    def begin(self) -> None:
        """Begin the pause until the one after this."""
        self.turn += 1
        self._last = time.monotonic()

    def tell(self, family: str, tenant: UUID, cause: str, fields: Sequence[str]) -> None:
        """Say what came of one comparison. The values stay here: they are the firm's."""
        if cause:
            log.warning("a found value is wrong", family=family, tenant=str(tenant), cause=cause, fields=list(fields))
        for listener in self.listeners:
            listener(family, tenant, cause, fields)
