"""Who may listen: opens sockets by token or ticket through the door of requests, and sends away who lost access."""

from collections.abc import Collection, Mapping
from typing import Final

import asyncpg

from zena.accounts.credentials import Credential
from zena.accounts.entry import ENTER_SQL, entered_by
from zena.kit.clock import Clock, SystemClock
from zena.kit.db import Database
from zena.kit.errors import Forbidden, Unauthorized
from zena.kit.realtime.doorman import NOT_ALLOWED, UNAUTHENTICATED, Entrant
from zena.kit.visit import Visit

_STANDING: Final = "SELECT id, user_id, tenant_id, member_id, role FROM gate.standing($1, $2)"


class Keeper:
    """The doorman of the hub (kit/realtime/doorman.py)."""

    def __init__(self, db: Database, clock: Clock | None = None) -> None:
        self.db = db
        self.clock = clock or SystemClock()

    async def by_token(self, token: str) -> Entrant:
        return await self._enter(Credential.of("token", token))

    async def by_ticket(self, ticket: str) -> Entrant:
        return await self._enter(Credential.of("ticket", ticket))

    async def lapsed(self, entrants: Collection[Entrant]) -> Mapping[str, int]:
        sessions = [entrant.session for entrant in entrants if entrant.session]
        tokens = [entrant.token for entrant in entrants if entrant.token and not entrant.session]
        async with self.db.lend() as conn:
            rows = {row["id"]: row for row in await conn.fetch(_STANDING, sessions, tokens)}
        verdicts = {entrant.key: _verdict(entrant, rows.get(entrant.session or entrant.token)) for entrant in entrants}
        return {key: code for key, code in verdicts.items() if code is not None}

    async def _enter(self, credential: Credential) -> Entrant:
        async with self.db.lend() as conn, conn.transaction():
            await conn.execute("SET TRANSACTION READ WRITE")  # a ticket is used up, also while changes are off
            row = await conn.fetchrow(ENTER_SQL, credential.kind, credential.digest)
        if row is None:
            raise Unauthorized(code="TOKEN_INVALID")
        entered = entered_by(row, Visit(request_id=""), self.clock.now())
        if entered.scope is None:
            raise Forbidden(detail=entered.refusal, code="NO_TENANT_ACCESS")
        return Entrant(entered.scope, row["session_id"], row["token_id"])


def _verdict(entrant: Entrant, row: asyncpg.Record | None) -> int | None:
    """Return the close code for somebody whose way in is gone, or leads to another firm or role than it did."""
    if row is None:
        return UNAUTHENTICATED
    scope = entrant.scope
    same = (row["tenant_id"], row["member_id"], row["role"]) == (scope.tenant, scope.member, scope.role)
    return None if same else NOT_ALLOWED
