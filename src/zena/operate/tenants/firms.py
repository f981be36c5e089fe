"""A firm as a command names it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.clock import Clock
from zena.kit.errors import NotFound
from zena.kit.scope import Scope

_FIRM: Final = text("SELECT id, slug, name, status, plan FROM tenant WHERE slug = :slug")
_LOCKED: Final = text("SELECT id, slug, name, status, plan FROM tenant WHERE slug = :slug FOR UPDATE")


@dataclass(frozen=True, slots=True)
class Firm:
    """A firm's own row."""

    id: UUID
    slug: str
    name: str
    status: str
    plan: str

    def system(self, clock: Clock) -> Scope:
        """Return the scope in which the installation itself acts there."""
        return Scope(
            tenant=self.id,
            member=None,
            user=None,
            role="system",
            permissions=frozenset(),
            timezone="UTC",
            tenant_name=self.name,
            tenant_slug=self.slug,
            at=clock.now(),
        )


async def firm_called(session: AsyncSession, slug: str, *, lock: bool = False) -> Firm:
    """Return the firm with this short name, or raise NotFound."""
    row = (await session.execute(_LOCKED if lock else _FIRM, {"slug": slug.strip().lower()})).one_or_none()
    if row is None:
        raise NotFound(f"there is no firm {slug!r}: `zena tenant list` shows them")
    return Firm(*row)
