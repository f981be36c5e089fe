"""Hits and misses per family, with the reason of each miss."""

from collections import Counter
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why a value had to be computed."""

    COLD = "cold"  # never computed here
    EXPIRED = "expired"  # its time was over, or the tenant's day has changed
    VERSION_CHANGED = "version_changed"  # an event touched the family: not a fault of the cache
    EVICTED = "evicted"  # the local cache was full
    UNKNOWN = "unknown"  # gone from Redis, and Redis does not say why
    BYPASS = "bypass"  # the caller asked for a fresh value
    ERROR = "error"  # the cache failed, or held something that is not ours


class CacheStats:
    """Counters of one process since its start."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.misses: dict[str, Counter[Reason]] = {}
        self.rejected: Counter[str] = Counter()

    def hit(self, family: str) -> None:
        self.hits[family] += 1

    def miss(self, family: str, reason: Reason) -> None:
        self.misses.setdefault(family, Counter())[reason] += 1

    def reject(self, family: str) -> None:
        """Count an entry that was found and not believed: junk, or another tenant's."""
        self.rejected[family] += 1

    def families(self) -> dict[str, dict[str, Any]]:
        names = sorted({*self.hits, *self.misses, *self.rejected})
        return {name: self._family(name) for name in names}

    def _family(self, name: str) -> dict[str, Any]:
        reasons = self.misses.get(name, Counter())
        return {
            "hits": self.hits[name],
            "misses": reasons.total(),
            "reasons": {str(reason): count for reason, count in sorted(reasons.items())},
            "rejected": self.rejected[name],
        }
