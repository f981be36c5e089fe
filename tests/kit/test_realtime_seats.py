"""Seats of live connections: counted over processes, gone with a killed one, taken again when the table was lost."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from tests.factories import Firm
from tests.kit.bed import until
from tests.kit.live import Live, serving
from tests.kit.test_realtime_access import refused
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.realtime import Limits
from zena.kit.state import State

LIMITS = Limits(connections_per_user=3, connections_per_tenant=4)
SEATS = "SELECT count(*) FROM ops.live_seat WHERE tenant = $1"


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(urls.ops)
    yield conn
    await conn.close()


@pytest.fixture
async def live(state: State) -> AsyncIterator[Live]:
    async with serving(state, LIMITS) as served:
        yield served


async def elsewhere(ops: asyncpg.Connection, firm: Firm, person: UUID, seats: int) -> UUID:
    """Let another process, which says that it is there just now, have some listeners."""
    process = new_id()
    await ops.execute("INSERT INTO ops.live_process VALUES ($1, clock_timestamp())", process)
    taken = "INSERT INTO ops.live_seat (tenant, id, process, person) VALUES ($1, $2, $3, $4)"
    await ops.executemany(taken, [(firm.tenant, new_id(), process, person) for _ in range(seats)])
    return process


async def test_those_at_other_processes_count_while_their_process_lives(
    live: Live, firm: Firm, ops: asyncpg.Connection
) -> None:
    member = firm.people["member"].user  # type: ignore[index]  # Role is a StrEnum
    process = await elsewhere(ops, firm, member, 3)
    assert await refused(live, live.admit(firm)) == ("connection_limit", 1013)
    async with live.client(live.admit(firm, "viewer")):
        assert await refused(live, live.admit(firm, "owner")) == ("connection_limit", 1013)
    silent = "UPDATE ops.live_process SET seen_at = clock_timestamp() - interval '6 seconds' WHERE process = $1"
    await ops.execute(silent, process)
    async with live.client(live.admit(firm)):
        assert await ops.fetchval(SEATS, firm.tenant) == 4  # those of the silent process, and this one
    await ops.execute("UPDATE ops.live_process SET seen_at = now() - interval '1 day' WHERE process = $1", process)
    async with live.client(live.admit(firm)):  # somebody's next sign of life sweeps

        async def swept() -> bool:
            return await ops.fetchval(SEATS, firm.tenant) == 1 and not bool(
                await ops.fetchval("SELECT count(*) FROM ops.live_process WHERE process = $1", process)
            )

        await until(swept)


async def test_whoever_sits_takes_the_seat_again_when_the_table_was_lost(
    live: Live, firm: Firm, stranger: Firm, ops: asyncpg.Connection
) -> None:
    async with live.client(live.admit(firm)), live.client(live.admit(firm)), live.client(live.admit(stranger)) as last:
        await ops.execute("DELETE FROM ops.live_process")

        async def back() -> bool:
            return (await ops.fetchval(SEATS, firm.tenant), await ops.fetchval(SEATS, stranger.tenant)) == (2, 1)

        await until(back)
        await last.say("ping")
        await last.hear("pong")

    async def gone() -> bool:
        return not (await ops.fetchval(SEATS, firm.tenant) or await ops.fetchval(SEATS, stranger.tenant))

    await until(gone)


async def test_a_seat_is_free_as_soon_as_it_is_left(live: Live, firm: Firm) -> None:
    for _ in range(10):
        async with live.client(live.admit(firm)), live.client(live.admit(firm)), live.client(live.admit(firm)):
            pass


async def test_a_firm_sees_its_own_seats_alone(
    urls: ClusterUrls, ops: asyncpg.Connection, firm: Firm, stranger: Firm
) -> None:
    person = firm.people["member"].user  # type: ignore[index]  # Role is a StrEnum
    process = await elsewhere(ops, firm, person, 1)
    app = await asyncpg.connect(urls.app)
    try:
        for tenant, seen in ((firm.tenant, 1), (stranger.tenant, 0), ("", 0)):
            async with app.transaction():
                await app.execute("SELECT set_config('app.tenant', $1, true)", str(tenant))
                assert await app.fetchval("SELECT count(*) FROM ops.live_seat") == seen
        async with app.transaction():
            await app.execute("SELECT set_config('app.tenant', $1, true)", str(stranger.tenant))
            sit = "INSERT INTO ops.live_seat (tenant, id, process, person) VALUES ($1, $2, $3, $4)"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(sit, firm.tenant, new_id(), process, person)
    finally:
        await app.close()
