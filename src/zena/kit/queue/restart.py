"""Asking all workers to end: each lets its jobs end and leaves, and whoever keeps it running starts another."""

from datetime import datetime
from typing import Final, Protocol

from zena.kit.db import Raw

_ASK: Final = """
INSERT INTO queue.restart (at) VALUES (clock_timestamp())
ON CONFLICT (only_row) DO UPDATE SET at = clock_timestamp() RETURNING at
"""
_ASKED: Final = "SELECT at FROM queue.restart"


class _Fetches(Protocol):
    async def fetch(self, query: str) -> list[dict[str, object]]: ...


class RestartWatch:
    """What one worker process knows of it: only a wish that came after its own start concerns it."""

    def __init__(self) -> None:
        self._known = False
        self._first: object = None

    async def is_asked(self, driver: _Fetches) -> bool:
        """Tell whether somebody asked since the first call."""
        rows = await driver.fetch(_ASKED)
        at = rows[0]["at"] if rows else None
        if not self._known:
            self._known, self._first = True, at
        return at != self._first


async def ask_restart(connection: Raw) -> datetime:
    """Ask every worker to end and be replaced; they notice within two seconds. Return when it was asked."""
    asked: datetime = await connection.fetchval(_ASK)
    return asked
