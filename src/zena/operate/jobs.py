"""What the installation does for itself on schedule, as zena_ops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from zena.kit.db import Raw, asyncpg_dsn
from zena.kit.logs import get_logger
from zena.kit.queue import JobWork
from zena.kit.registry import CronSpec, Registry
from zena.operate.telemetry import rollup
from zena.settings.model import Role

log = get_logger(__name__)


@asynccontextmanager
async def operations(work: JobWork) -> AsyncIterator[Raw]:
    """Open a connection as the operations role."""
    url = asyncpg_dsn(work.state.settings.dsn(Role.OPS))
    conn = await asyncpg.connect(url, timeout=5, command_timeout=50, server_settings={"application_name": "zena-ops"})
    try:
        yield conn
    finally:
        await conn.close(timeout=5)


def _may(work: JobWork) -> bool:
    """Tell whether this installation has given the worker the operations role; say so in the log where it has not."""
    if work.state.settings.secret_url(Role.OPS) is None:
        log.warning("not done: ZENA_DATABASE_OPS_URL is not set", job=work.name)
        return False
    return True


async def roll_up(work: JobWork) -> None:
    if not _may(work):
        return
    async with operations(work) as conn, conn.transaction():
        await rollup.roll_up(conn, work.state.clock.now())


async def keep_house(work: JobWork) -> None:
    if not _may(work):
        return
    async with operations(work) as conn:
        await rollup.make_partitions(conn)
        await rollup.drop_old(conn, work.state.clock.now())


def register(registry: Registry) -> None:
    registry.crons["operate.rollup"] = CronSpec("operate.rollup", "* * * * *", roll_up)
    registry.crons["operate.house"] = CronSpec("operate.house", "23 * * * *", keep_house)
