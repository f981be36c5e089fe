"""Who may come in and who must go: asked of the accounts slice, of which kit knows nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from zena.kit.scope import Scope

#: Close codes of our own: no valid proof of who it is, and known but no longer allowed.
UNAUTHENTICATED = 4401
NOT_ALLOWED = 4403


@dataclass(frozen=True, slots=True)
class Entrant:
    """Somebody who listens: in whose scope, by which session or token."""

    scope: Scope
    session: UUID | None = None
    token: UUID | None = None

    @property
    def key(self) -> str:
        """The same for all sockets that stand and fall together."""
        return f"{self.scope.tenant}:{self.scope.role}:{self.session or self.token}"


class Doorman(Protocol):
    """What the hub asks. Problems raised here become close codes: 401 is 4401, 403 is 4403."""

    async def by_token(self, token: str) -> Entrant:
        """Return who holds this API token."""

    async def by_ticket(self, ticket: str) -> Entrant:
        """Return for whom this one-time ticket was issued, and use it up."""

    async def lapsed(self, entrants: Collection[Entrant]) -> Mapping[str, int]:
        """Return the close code for each `key` that may stay no longer. Asked each second, so one query for all."""
