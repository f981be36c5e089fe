"""Figures that cost much are read once for everybody who looks, and kept for a few seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass(slots=True)
class Memo:
    """Values by name until they are too old. Of many who ask at once, one reads and the others wait."""

    _kept: dict[str, tuple[datetime, Any]] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def get(self, name: str, now: datetime, age: timedelta, load: Callable[[], Awaitable[Any]]) -> Any:
        """Return the value read at most `age` ago, else what `load` returns. Names come from code: they are few."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            kept = self._kept.get(name)
            if kept is None or not timedelta() <= now - kept[0] < age:
                kept = self._kept[name] = (now, await load())
            return kept[1]
