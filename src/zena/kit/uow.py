"""The unit of work: the one place where a transaction begins and commits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.db import Database, Raw
from zena.kit.events import log_sealed, seal
from zena.kit.scope import Identity, Scope

_ENTER = text("SELECT set_config('app.tenant', :tenant, true), set_config('app.user', :user, true)")
READ_WRITE = text("SET TRANSACTION READ WRITE")
READ_ONLY = text("SET TRANSACTION READ ONLY")


@dataclass(slots=True)
class Reader:
    """A raw asyncpg connection inside a tenant transaction, for the reads that must be fast."""

    conn: Raw
    scope: Scope
    position: int = 0  # of the tenant's outbox when the transaction began


@asynccontextmanager
async def unit_of_work(db: Database) -> AsyncIterator[AsyncSession]:
    """Open a session, seal and commit it at the end, roll it back on any error or cancellation.

    Sessions commit nowhere else. Nothing is visible to the caller of the request before this has returned.
    """
    async with db.sessions() as session:
        try:
            yield session
            sealed = await seal(session)
            await session.commit()
        except BaseException:
            await session.rollback()
            raise
        log_sealed(sealed)


async def enter_tenant(session: AsyncSession, tenant: UUID | None, user: UUID | None = None) -> None:
    """Bind the transaction to a tenant (and a person) for row-level security; ends with the transaction."""
    await session.execute(_ENTER, {"tenant": str(tenant or ""), "user": str(user or "")})


@asynccontextmanager
async def tenant_work(db: Database, scope: Scope) -> AsyncIterator[AsyncSession]:
    """Open a unit of work that is bound to the scope's tenant: for jobs, commands and sockets."""
    async with unit_of_work(db) as session:
        await enter_tenant(session, scope.tenant, scope.user)
        yield session


@asynccontextmanager
async def ledger(db: Database) -> AsyncIterator[AsyncSession]:
    """Open a short transaction of its own that survives the caller's rollback and read-only mode.

    Only for sign-in throttling, denied attempts and the audit rows of remedies (decisions.md).
    """
    async with db.sessions() as session:
        await session.execute(READ_WRITE)
        try:
            yield session
            sealed = await seal(session)
            await session.commit()
        except BaseException:
            await session.rollback()
            raise
        log_sealed(sealed)


def actor_of(session: AsyncSession) -> tuple[Identity | None, Scope | None]:
    """Return who entered this session, as the session dependency left it."""
    return session.info.get("identity"), session.info.get("scope")
