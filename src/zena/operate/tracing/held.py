"""A database that keeps nothing: whatever a request does happens in transactions that are rolled back.

One connection for sessions and one for raw reads, each in a transaction of its own; what would be committed is a
savepoint in it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker

from zena.kit.db import Database, Raw


class HeldDatabase(Database):
    """Takes the place of a process's database between `start` and `stop`, which rolls back."""

    def __init__(self, like: Database) -> None:
        super().__init__(like.options, like.telemetry)
        self._conn: AsyncConnection | None = None
        self._held: tuple[Any, Any] | None = None

    async def start(self) -> None:
        """Begin on both connections."""
        await super().start()
        self._conn = await self.engine.connect()
        # SQLAlchemy begins with the first statement: what a session sent raw before it would stay.
        await self._conn.exec_driver_sql("SELECT 1")
        self.sessions = async_sessionmaker(
            self._conn, join_transaction_mode="create_savepoint", expire_on_commit=False, autoflush=False
        )
        conn: Any = await self.pool.acquire(timeout=self.options.pool_timeout)
        whole = conn.transaction()
        await whole.start()
        self._held = conn, whole

    async def rewind(self) -> None:
        """Undo all that was done since the start, and begin again."""
        if self._conn is None or self._held is None:
            raise RuntimeError("start() has not been called")
        await self._conn.rollback()
        await self._conn.exec_driver_sql("SELECT 1")
        conn, whole = self._held
        await whole.rollback()
        whole = conn.transaction()
        await whole.start()
        self._held = conn, whole

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Raw]:
        """Lend the one raw connection there is."""
        if self._held is None:
            raise RuntimeError("start() has not been called")
        yield self._held[0]

    async def stop(self) -> None:
        """Roll back, and close both."""
        if self._held is not None:
            conn, whole = self._held
            await whole.rollback()
            await self.pool.release(conn)
        if self._conn is not None:
            await self._conn.rollback()
            await self._conn.close()
        self._conn = self._held = None
        await super().stop()
