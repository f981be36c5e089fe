"""What is stored: an envelope that says whose value it is, of which version, and until when."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec


class CacheKey(msgspec.Struct, frozen=True):
    """Identity of one value. The date is the tenant's: what is overdue changes at its midnight."""

    tenant: UUID
    family: str
    name: str
    version: int
    local_date: date

    def __str__(self) -> str:
        return f"{self.place}:{self.local_date.isoformat()}:{self.version}"

    @property
    def place(self) -> str:
        """The part that stays when version and day change."""
        return f"kpi:{self.tenant}:{self.family}:{self.name}"


class Envelope(msgspec.Struct, frozen=True):
    """A stored value with everything needed to believe it."""

    tenant: UUID
    version: int
    local_date: date
    generated_at: datetime
    expires_at: datetime
    value: Any

    def belongs_to(self, key: CacheKey) -> bool:
        return (self.tenant, self.version, self.local_date) == (key.tenant, key.version, key.local_date)


class Note(msgspec.Struct, frozen=True):
    """What was last stored at a place: tells later why it is not found any more."""

    version: int
    local_date: date
    expires_at: datetime
