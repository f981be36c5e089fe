"""Small things that tests of kit share: a table for effects, a worker's state, waiting for something to become true."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import asyncpg

from zena.kit.clock import SystemClock
from zena.kit.db import Database
from zena.kit.embedded import ClusterUrls
from zena.kit.maintenance import Gate
from zena.kit.telemetry import Telemetry

_EFFECT = """
CREATE TABLE IF NOT EXISTS effect (
    tenant_id uuid NOT NULL, key text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, key));
ALTER TABLE effect ENABLE ROW LEVEL SECURITY;
ALTER TABLE effect FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant ON effect;
CREATE POLICY tenant ON effect USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT ON effect TO zena_app;
"""


async def make_effect_table(urls: ClusterUrls) -> None:
    """Make a tenant table in which each key can happen once."""
    owner = await asyncpg.connect(urls.owner)
    await owner.execute(_EFFECT)
    await owner.close()


async def drop_effect_table(urls: ClusterUrls) -> None:
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("DROP TABLE effect")
    await owner.close()


def worker_state(db: Database) -> Any:
    """Return as much of the application's state as the worker itself uses."""
    return SimpleNamespace(db=db, clock=SystemClock(), telemetry=Telemetry(), gate=Gate())


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 10.0) -> Any:
    """Return the first true answer."""
    async with asyncio.timeout(seconds):
        while True:
            if answer := await look():
                return answer
            await asyncio.sleep(0.05)
