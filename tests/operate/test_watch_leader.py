"""One worker watches at a time: the lease is kept, given up, and taken over from one that froze or died."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from tests.kit.bed import until
from tests.kit.pg import open_folder
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.lab.link import Link
from zena.operate.remedies.interrupted import finish_interrupted
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.watch.leader import Leader, leading

_HOLDER = "SELECT holder, until > now() AS valid FROM ops.lease WHERE name = 'watch'"
_LOOKED = "SELECT count(*) FROM ops.detector"


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(urls.ops)
    yield conn
    await conn.execute("DELETE FROM ops.lease")
    await conn.execute("DELETE FROM ops.detector")
    await conn.execute("DELETE FROM ops.symptom")
    await conn.execute("UPDATE ops.incident SET closed_at = now() WHERE closed_at IS NULL")  # it looked at the present
    await conn.close()


@pytest.fixture
def quick(state: State, urls: ClusterUrls) -> State:
    """A worker's state that looks every 0.3 seconds; its lease runs out after 0.9."""
    values = {"pace": 0.02, "env": "lab", "database_ops_url": SecretStr(urls.ops)}
    return replace(state, settings=state.settings.model_copy(update=values))


async def seen(conn: Any, sql: str, wanted: Callable[[Any], bool]) -> None:
    async def look() -> bool:
        return wanted(await conn.fetchrow(sql))

    await until(look, 20)


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_it_looks_at_everything_and_gives_up_the_lease_when_it_ends(quick: State, ops: Any) -> None:
    async with leading(quick, finish_interrupted):
        await seen(ops, _LOOKED, lambda row: row[0] == len(BY_ID))
        assert await ops.fetchval("SELECT count(*) FROM ops.detector WHERE error IS NOT NULL") == 0
        assert (await ops.fetchrow(_HOLDER))["valid"]
    assert await ops.fetchrow(_HOLDER) is None


async def test_of_two_one_watches_and_the_other_takes_over_when_the_first_is_silent(quick: State, ops: Any) -> None:
    first, second = Leader(quick, finish_interrupted), Leader(quick, finish_interrupted)
    one = asyncio.create_task(first.run())
    await seen(ops, _HOLDER, lambda row: row is not None and row["holder"] == first._me)
    two = asyncio.create_task(second.run())
    await asyncio.sleep(1.5)
    assert (await ops.fetchrow(_HOLDER))["holder"] == first._me, "whoever renews it keeps it"
    first._leads = False  # as if killed: it cannot give the lease up
    await ended(one)
    await seen(ops, _HOLDER, lambda row: row is not None and row["holder"] == second._me)
    await ended(two)


async def test_one_that_lost_the_lease_looks_at_nothing(quick: State, ops: Any) -> None:
    await ops.execute("INSERT INTO ops.lease VALUES ('watch', gen_random_uuid(), now() + interval '1 hour')")
    async with leading(quick, finish_interrupted):
        await asyncio.sleep(1)
        assert await ops.fetchval(_LOOKED) == 0


async def test_a_connection_that_was_cut_is_dialled_anew(quick: State, ops: Any) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zena-watch'"
    async with leading(quick, finish_interrupted):
        await seen(ops, _LOOKED, lambda row: row[0] == len(BY_ID))
        await ops.execute(cut)
        await ops.execute("DELETE FROM ops.detector")
        await seen(ops, _LOOKED, lambda row: row[0] == len(BY_ID))


async def test_how_long_the_database_was_away_is_written_down(quick: State, urls: ClusterUrls, ops: Any) -> None:
    sockets, name = Path(urls.ops.partition("?host=")[2]), ".s.PGSQL.5432"
    with open_folder("zk-") as folder:
        way = SecretStr(urls.ops.replace(str(sockets), str(folder)))
        far = replace(quick, settings=quick.settings.model_copy(update={"database_ops_url": way}))
        told = "SELECT what FROM ops.change WHERE at >= $1 AND actor = 'watch' AND what LIKE 'the database did not%'"
        began = await ops.fetchval("SELECT now()")
        link = Link(sockets / name, down=True)
        async with link.listening(folder / name), leading(far, finish_interrupted):
            await asyncio.sleep(1)
            assert await ops.fetchval(told, began) is None
            link.down = False
            await seen(ops, _LOOKED, lambda row: row[0] == len(BY_ID))
            assert "s: nothing was watched" in await ops.fetchval(told, began)
            link.cut()
            await ops.execute("DELETE FROM ops.detector")
            await seen(ops, _LOOKED, lambda row: row[0] == len(BY_ID))
        assert len(await ops.fetch(told, began)) == 1, "a moment is no outage"


async def test_without_the_role_for_it_nobody_watches(state: State, ops: Any) -> None:
    async with leading(state, finish_interrupted):
        await asyncio.sleep(0.3)
    assert await ops.fetchrow(_HOLDER) is None
