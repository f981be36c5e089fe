"""History is taken hourly, for each firm in a job of its own: its last run before the tenant's midnight stays."""

from dataclasses import replace

from sqlalchemy import text

from zena.insight.actions import forget_old_snapshots, take_snapshot
from zena.kit.queue import JobWork
from zena.kit.registry import CronSpec, JobSpec, Registry

_TENANTS = text("SELECT gate.served_tenants()")


async def snapshot(work: JobWork) -> None:
    async with work.transaction() as (session, scope):
        now = replace(scope, at=work.state.clock.now())
        await take_snapshot(session, now)
        await forget_old_snapshots(session, now)


async def snapshots(work: JobWork) -> None:
    async with work.untenanted() as session:
        tenants = (await session.scalars(_TENANTS)).all()
    await work.fan_out("insight.snapshot", tenants)


def register(registry: Registry) -> None:
    registry.job(JobSpec("insight.snapshot", snapshot))
    registry.crons["insight.snapshots"] = CronSpec("insight.snapshots", "47 * * * *", snapshots)
