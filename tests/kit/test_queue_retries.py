"""A retry that the database does not take: the job is not held for it, its heartbeat lapses and it is taken again."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver

from zena.kit.embedded import ClusterUrls
from zena.kit.queue.enqueue import query_builders
from zena.kit.queue.queries import WorkerQueries


@pytest.mark.parametrize("postponed", [True, False])
async def test_a_retry_that_cannot_be_stored_raises_nothing(urls: ClusterUrls, postponed: bool) -> None:
    powerless = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await powerless.execute("UPDATE queue.pgqueuer SET status = 'failed' WHERE id = 0")
        queries = WorkerQueries(AsyncpgDriver(powerless), **query_builders())
        queries.postponed.update({7} if postponed else ())
        job: Any = SimpleNamespace(id=7, entrypoint="t.kept")
        await queries.retry_job(job, timedelta(), None)
    finally:
        await powerless.close()
