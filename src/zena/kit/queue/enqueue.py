"""Put a job into the queue within the transaction that makes it necessary."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.queries import Queries
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.db import Raw, raw
from zena.kit.queue.payload import JobArgument, pack_arguments
from zena.kit.queue.schema import queue_settings
from zena.kit.scope import Scope

#: Header of each job that names its tenant; absent for jobs of the installation.
TENANT_HEADER = "tenant"


async def enqueue(
    session: AsyncSession,
    tenant: Scope | UUID | None,
    name: str,
    /,
    *,
    after: timedelta | None = None,
    dedupe_key: str | None = None,
    **ids: JobArgument,
) -> int | None:
    """Queue a job in the session's transaction: it exists if and only if that transaction commits.

    `dedupe_key` is unique per tenant and job name among queued and running jobs, and a second one returns None. A
    running job may have read its data already, so do not dedupe what must see this transaction's change.
    """
    await session.flush()
    connection = await raw(session)
    if not connection.is_in_transaction():
        raise RuntimeError("a job is queued inside an open transaction, or it would survive a rollback")
    owner = tenant.tenant if isinstance(tenant, Scope) else tenant
    queued = await insert_jobs(connection, name, [owner], after=after, dedupe_key=dedupe_key, ids=ids)
    return queued[0]


async def insert_jobs(
    connection: Raw,
    name: str,
    tenants: Iterable[UUID | None],
    *,
    after: timedelta | None = None,
    dedupe_key: str | None = None,
    ids: dict[str, JobArgument] | None = None,
) -> list[int | None]:
    """Insert one job per tenant on this connection; the transaction is the caller's."""
    owners = list(tenants)
    payload = pack_arguments(ids or {})
    return await job_queries(connection).enqueue(  # type: ignore[return-value]  # JobId is a NewType of int
        [name] * len(owners),
        [payload] * len(owners),
        [0] * len(owners),
        [after] * len(owners),
        [dedupe_key and f"{owner or 'installation'}:{name}:{dedupe_key}" for owner in owners],
        [{TENANT_HEADER: str(owner)} if owner else {} for owner in owners],
        on_conflict="skip",
    )


def job_queries(connection: Raw) -> Queries:
    """Return pgqueuer's queries over one connection, under our names."""
    return Queries(AsyncpgDriver(connection), **query_builders())


def query_builders() -> dict[str, Any]:
    """Return the builders that pgqueuer would otherwise name from the environment."""
    settings = queue_settings()
    return {
        "qbe": QueryBuilderEnvironment(settings),
        "qbq": QueryQueueBuilder(settings),
        "qbs": QuerySchedulerBuilder(settings),
    }
