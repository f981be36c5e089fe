"""What the installation does for itself on schedule, as zena_ops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from zena.kit.db import Raw, asyncpg_dsn
from zena.kit.queue import JobWork
from zena.kit.registry import CronSpec, Registry
from zena.operate.telemetry import rollup
from zena.settings.model import Role


@asynccontextmanager
async def operations(work: JobWork) -> AsyncIterator[Raw]:
    """Open a connection as the operations role; where no URL for it is set, the job fails and says which."""
    url = asyncpg_dsn(work.state.settings.dsn(Role.OPS))
    conn = await asyncpg.connect(url, timeout=5, command_timeout=50, server_settings={"application_name": "zena-ops"})
    try:
        yield conn
    finally:
        await conn.close(timeout=5)


async def roll_up(work: JobWork) -> None:
    async with operations(work) as conn, conn.transaction():
        await rollup.roll_up(conn, work.state.clock.now())


async def keep_house(work: JobWork) -> None:
    async with operations(work) as conn:
        await rollup.make_partitions(conn)
        await rollup.drop_old(conn, work.state.clock.now())


def register(registry: Registry) -> None:
    registry.crons["operate.rollup"] = CronSpec("operate.rollup", "* * * * *", roll_up)
    registry.crons["operate.house"] = CronSpec("operate.house", "23 * * * *", keep_house)
