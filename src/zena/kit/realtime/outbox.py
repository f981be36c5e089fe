"""Reading the outbox as the app role, bound to one tenant at a time; and the bell that says there is something new."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import asyncpg

from zena.kit.db import Database, Raw
from zena.kit.logs import get_logger
from zena.kit.registry import EventRow

log = get_logger(__name__)

#: NOTIFY channel of `seal`; its payload is empty.
BELL = "zena_outbox"

#: What a database that is away, or busy, looks like.
DATABASE_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_ENTER = "SELECT set_config('app.tenant', $1, true), set_config('app.user', $2, true)"
_HEADS = "SELECT tenant_id, position FROM gate.heads($1)"
_HEAD = "SELECT position FROM tenant_head WHERE tenant_id = $1"
_EVENTS = """
SELECT tenant_id, position, id, type, actor, subject_type, subject_id, project_id, payload, batch_id, at
FROM event WHERE tenant_id = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4
"""


class Outbox:
    """The events of the tenants, in the order in which they were committed."""

    def __init__(self, db: Database) -> None:
        self.db = db

    @asynccontextmanager
    async def bound(self, tenant: UUID, user: UUID | None = None) -> AsyncIterator[Raw]:
        """Open a read-only transaction bound to a tenant."""
        async with self.db.lend() as connection, connection.transaction(readonly=True):
            await self.bind(connection, tenant, user)
            yield connection

    async def bind(self, connection: Raw, tenant: UUID, user: UUID | None) -> None:
        """Bind an open transaction to a tenant and a person."""
        await connection.execute(_ENTER, str(tenant), str(user or ""))

    async def heads(self, tenants: Collection[UUID]) -> dict[UUID, int]:
        """Return the last position of each tenant."""
        async with self.db.lend() as connection:
            rows = await connection.fetch(_HEADS, list(tenants))
        return {row["tenant_id"]: row["position"] for row in rows}

    async def head(self, connection: Raw, tenant: UUID) -> int:
        """Return the last position that this transaction sees."""
        return int(await connection.fetchval(_HEAD, tenant) or 0)

    async def events(self, tenant: UUID, after: int, upto: int, limit: int = 200) -> list[EventRow]:
        """Return the events in (after, upto], oldest first, at most `limit`."""
        async with self.bound(tenant) as connection:
            rows = await connection.fetch(_EVENTS, tenant, after, upto, limit)
        return [EventRow(**{**row, "at": row["at"].isoformat()}) for row in rows]


class Bell:
    """Wakes whoever waits when something was committed. NOTIFY may be lost, so every wait ends by itself."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._rung = asyncio.Event()
        self._connection: Raw | None = None

    @property
    def is_heard(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, seconds: float | None) -> None:
        """Return at the next ring, at the latest after this long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()

    async def listen(self) -> None:
        """Hear the database's bell; called often, it reconnects when the connection is gone.

        Where that is not possible (no direct way past a pooler), polling has to do.
        """
        if self.is_heard:
            return
        try:
            self._connection = await self._db.direct()
            await self._connection.add_listener(BELL, self._heard)
        except DATABASE_AWAY as error:
            log.warning("no notifications, polling only", error=type(error).__name__)

    async def hush(self) -> None:
        """Give the connection back while nobody listens."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*DATABASE_AWAY):
                await connection.close(timeout=2)

    def _heard(self, *_: object) -> None:
        self._rung.set()
