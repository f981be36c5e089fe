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
    _next: float = 0.0

    def is_due(self) -> bool:
        """Tell whether it is time, and begin the next pause."""
        now = time.monotonic()
        if not self.listeners or now < self._next:
            return False
        self._next = now + self.every
        return True

    def tell(self, family: str, tenant: UUID, cause: str, fields: Sequence[str]) -> None:
        """Say what came of one comparison. The values stay here: they are the firm's."""
        if cause:
            log.warning("a found value is wrong", family=family, tenant=str(tenant), cause=cause, fields=list(fields))
        for listener in self.listeners:
            listener(family, tenant, cause, fields)
