"""What a running job is given: its tenant, a transaction when it asks for one, and the ways to end."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.db import raw
from zena.kit.queue.enqueue import insert_jobs
from zena.kit.queue.payload import JobArgument
from zena.kit.scope import Scope
from zena.kit.uow import enter_tenant, unit_of_work

if TYPE_CHECKING:
    from zena.kit.state import State

_TENANT = text("SELECT name, slug, status, timezone, locale, currency FROM tenant WHERE id = :tenant")

#: A firm that is not served keeps its jobs: they look again after so long.
_HELD = timedelta(minutes=1)


class PostponeJob(Exception):  # noqa: N818 - an outcome the job chooses, not an error
    """Run this job again later; the present run does not count as a failure."""

    def __init__(self, delay: timedelta, reason: str) -> None:
        super().__init__(reason)
        self.delay = delay


class RejectJob(Exception):  # noqa: N818 - an outcome the job chooses, not an error
    """Hold this job at once: another run would end the same way."""


@dataclass(frozen=True, slots=True)
class JobWork:
    """One run of a job. It has no tenant and no transaction until it opens one."""

    state: "State"
    job_id: int
    name: str
    tenant: UUID | None
    attempt: int
    attempts: int
    slots: asyncio.Semaphore  # more jobs run than there are connections; they take turns

    @property
    def is_last(self) -> bool:
        """Tell whether a failure of this run is final."""
        return self.attempt >= self.attempts

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[AsyncSession, Scope]]:
        """Open a unit of work bound to the job's tenant; committed at the end, rolled back on any error."""
        if self.tenant is None:
            raise RuntimeError(f"job {self.name} was queued without a tenant")
        async with self.slots, unit_of_work(self.state.db) as session:
            await enter_tenant(session, self.tenant)
            yield session, await system_scope(session, self.tenant, self.state.clock.now())

    @asynccontextmanager
    async def untenanted(self) -> AsyncIterator[AsyncSession]:
        """Open a unit of work bound to no tenant: tenant tables look empty, only the gate functions answer."""
        async with self.slots, unit_of_work(self.state.db) as session:
            yield session

    async def fan_out(self, name: str, tenants: Iterable[UUID], **ids: JobArgument) -> None:
        """Queue one job for each tenant, all or none."""
        async with self.untenanted() as session:
            await insert_jobs(await raw(session), name, tenants, ids=ids)


async def system_scope(session: AsyncSession, tenant: UUID, at: datetime) -> Scope:
    """Return the scope in which the system itself acts for a tenant; the session is bound to it already.

    It holds no permission: what a job does was authorized when it was queued. PostponeJob while the firm is not served.
    """
    row = (await session.execute(_TENANT, {"tenant": tenant})).one_or_none()
    if row is None:
        raise RejectJob("the tenant of this job is gone")
    if row.status not in {"active", "trial"}:
        raise PostponeJob(_HELD, "its firm is not served at present")
    return Scope(
        tenant=tenant,
        member=None,
        user=None,
        role="system",
        permissions=frozenset(),
        timezone=row.timezone,
        locale=row.locale,
        currency=row.currency,
        tenant_name=row.name,
        tenant_slug=row.slug,
        at=at,
    )
