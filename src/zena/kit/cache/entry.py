"""What is stored: an envelope that says whose value it is, of which version, and until when."""

import hashlib
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

_DIGITS: Final = 16


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
    """A stored value with everything needed to believe it. `digest` is that of the value as it was computed."""

    tenant: UUID
    version: int
    local_date: date
    generated_at: datetime
    expires_at: datetime
    value: Any
    release: str = ""
    digest: str = ""

    def belongs_to(self, key: CacheKey) -> bool:
        return (self.tenant, self.version, self.local_date) == (key.tenant, key.version, key.local_date)


def digest_of(value: Any) -> str:
    """Return what tells a value from any other: 16 hex digits of the SHA-256 of its JSON."""
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:_DIGITS]


class Note(msgspec.Struct, frozen=True):
    """What was last stored at a place: tells later why it is not found any more."""

    version: int
    local_date: date
    expires_at: datetime
