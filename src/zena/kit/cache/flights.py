"""One computation at a time for each key within the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Flight:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    aboard: int = 0


class Flights:
    """Locks by key, kept only while somebody holds or awaits them.

    Locks, not shared futures: a caller whose request is cancelled then takes nobody else with it.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}

    @asynccontextmanager
    async def only_one(self, key: str) -> AsyncIterator[None]:
        """Wait until nobody else is inside for this key."""
        flight = self._flights.setdefault(key, _Flight())
        flight.aboard += 1
        try:
            async with flight.lock:
                yield
        finally:
            flight.aboard -= 1
            if flight.aboard == 0:
                del self._flights[key]
