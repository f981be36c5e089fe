"""Rights that the application lost are given back, whichever symptom shows it, and none beyond those."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from tests.operate.remedied import Ward, session, warded
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.integrity.posture import SWITCHES, wrong
from zena.operate.integrity.rights import REVISION, RIGHTS
from zena.operate.remedies.contract import Refused, Target
from zena.operate.remedies.rights import RESTORE_RIGHTS, missing
from zena.operate.symptoms import t2_broken_fence, w2_silent_sockets
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Reading

AT = datetime(2031, 2, 11, 6, 0, tzinfo=UTC)
READING = Reading("", over=True, calm=False, says="requests fail")
LOST = ["EXECUTE ON FUNCTION gate.heads(uuid[])", "SELECT ON TABLE public.label", "UPDATE (hue) ON TABLE public.label"]


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made


@pytest.fixture
async def lost(ward: Ward, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with session(urls.superuser, "zena-test") as root:
        for right in LOST:
            await root.execute(f"REVOKE {right} FROM zena_app")
        yield ward
        for right in LOST:
            await root.execute(f"GRANT {right} TO zena_app")


async def test_nothing_is_missing_where_nothing_was_taken(ward: Ward) -> None:
    assert await missing(ward.day.conn) == []
    with pytest.raises(Refused, match="every right"):
        await RESTORE_RIGHTS.plan(ward.hand.look(), Target(BY_ID["A2"], "", READING))


async def test_what_was_lost_is_given_back_and_no_more(lost: Ward, urls: ClusterUrls) -> None:
    look = lost.hand.look()
    plan = await RESTORE_RIGHTS.plan(look, Target(BY_ID["U1"], "", READING))
    assert plan.acts_on == {"rights": LOST}
    assert plan.effects == [f"GRANT {right} TO zena_app" for right in LOST]
    assert not await RESTORE_RIGHTS.gone(look, plan.acts_on)
    async with session(urls.app, "zena-test") as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.fetchval("SELECT count(*) FROM label")
        await RESTORE_RIGHTS.apply(look, plan.acts_on, lost.lines.append)
        await lost.day.conn.execute("RESET ROLE")
        assert await app.fetchval("SELECT count(*) FROM label") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("TRUNCATE label")
    assert await RESTORE_RIGHTS.gone(look, plan.acts_on)
    assert await missing(lost.day.conn) == []


async def test_sockets_that_are_silent_for_a_lost_right_say_so(lost: Ward) -> None:
    facts = {"stuck": True, "tail_seconds": 9.0, "hears": True}
    reading = Reading("web here pid 1", over=True, calm=False, says="read the events 9.0 s ago", facts=facts)
    found = await w2_silent_sockets.diagnose(lost.hand.look(), reading)
    assert (found.cause, found.causes[0].next) == ("right_missing", "zena runbook plan restore_rights")
    assert "gate.heads" in found.causes[0].says


async def test_a_right_that_no_migration_gave_is_a_fence_that_fell(ward: Ward) -> None:
    conn = ward.day.conn
    await conn.execute("SET ROLE zena_owner; GRANT TRUNCATE ON label TO zena_app; RESET ROLE")
    try:
        fences = next(one for one in await t2_broken_fence.watch(ward.hand.look()) if "fallen" in one.facts)
        assert fences.over
        found = await t2_broken_fence.diagnose(ward.hand.look(), fences)
        assert (found.cause, "TRUNCATE ON TABLE public.label" in found.causes[0].says) == ("grant_changed", True)
    finally:
        await conn.execute("SET ROLE zena_owner; REVOKE TRUNCATE ON label FROM zena_app; RESET ROLE")


async def test_a_database_of_another_revision_is_not_judged(lost: Ward, urls: ClusterUrls) -> None:
    assert len(await missing(lost.day.conn)) == len(LOST)
    async with session(urls.superuser, "zena-test") as root:
        await root.execute("UPDATE alembic_version SET version_num = '0001'")
        try:
            assert await missing(lost.day.conn) == []
        finally:
            await root.execute("UPDATE alembic_version SET version_num = $1", REVISION)


async def test_looking_at_the_rights_takes_little(ward: Ward) -> None:
    """Every round of the leader does."""
    rights = [one for one in SWITCHES if one.takes == (RIGHTS,)]
    assert len(rights) == 2
    began = asyncio.get_running_loop().time()
    for _ in range(10):
        for switch in rights:
            assert await wrong(ward.day.conn, switch) == []
    assert asyncio.get_running_loop().time() - began < 2, "a tenth of a second for each look at most"
