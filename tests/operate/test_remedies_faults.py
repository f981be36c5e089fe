"""Each remedy against the real fault that it answers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from tests.factories import Firm
from tests.operate.remedied import PACE, Ward, session, warded
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.migrations.fences import TENANT
from zena.operate.remedies.automatic import apply_due
from zena.operate.remedies.contract import Refused
from zena.operate.remedies.fences import QUARANTINE, RESTORE_FENCE
from zena.operate.remedies.runner import Aim, NotNeeded, planned, taken_back
from zena.operate.remedies.runs import one
from zena.operate.remedies.sessions import CANCEL_BLOCKER, END_IDLE_TRANSACTION
from zena.operate.remedies.tables import ANALYZE, CREATE_INDEX
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.watch.rounds import look_around

#: The fence of the table that is broken, as its migration makes it.
MADE = f"""
SET ROLE zena_owner; DROP POLICY IF EXISTS everybody ON label; DROP POLICY IF EXISTS ops_quarantine ON label;
DROP POLICY IF EXISTS tenant ON label; ALTER TABLE label ENABLE ROW LEVEL SECURITY; ALTER TABLE label FORCE ROW LEVEL
SECURITY; CREATE POLICY tenant ON label USING (tenant_id = {TENANT}) WITH CHECK (tenant_id = {TENANT}); RESET ROLE
"""
AT = datetime(2031, 4, 5, 6, 0, tzinfo=UTC)


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made


async def slow(ward: Ward, statement: str, firm: Firm | None = None) -> str:
    """Count a statement that is slow in two minutes of this pace; return its fingerprint."""
    tenant = str(firm.tenant) if firm else None
    ward.day.made.length = 60 * PACE
    for _ in range(2):
        ward.day.later(seconds=60 * PACE)
        for _ in range(15):
            ward.day.made.query(statement, 0.7)
        ward.day.request("/api/v1/app/slow", 900, 5, statement=statement, spent=700, tenant=tenant, spread=False)
    await ward.day.look()
    found = "SELECT fingerprint FROM ops.statement WHERE text = $1"
    return str(await ward.day.conn.fetchval(found, statement))


@pytest.mark.parametrize("application", ["report", "zena-report"])
async def test_who_holds_others_up_is_ended_and_a_stranger_is_not(
    ward: Ward, urls: ClusterUrls, application: str
) -> None:
    scope = await slow(ward, f"SELECT held_up FROM label WHERE name = '{application}'")  # noqa: S608 - never run
    aim = Aim(incident=await ward.incident(BY_ID["B1"], scope))
    async with session(urls.owner, application) as holder, session(urls.owner, "zena-waits") as waits:
        await holder.execute("BEGIN; LOCK TABLE label IN ACCESS EXCLUSIVE MODE")
        pid = await holder.fetchval("SELECT pg_backend_pid()")
        waiting = asyncio.create_task(waits.fetchval("SELECT count(*) FROM label"))
        try:
            if application == "report":
                with pytest.raises(Refused, match=rf"pid {pid} \(zena_owner report\): not ours"):
                    await planned(ward.hand, CANCEL_BLOCKER, aim)
                return
            what = await planned(ward.hand, CANCEL_BLOCKER, aim)
            assert (what.plan.touches["sessions that wait"], what.plan.acts_on["sessions"][0]["pid"]) == (1, pid)
            outcome = await ward.heal(CANCEL_BLOCKER, aim)
            assert (outcome.verdict, f"pid {pid} is ended" in ward.lines) == ("improved", True)
        finally:
            holder.terminate()
            await waiting
    with pytest.raises(Refused, match="nobody waits"):
        await planned(ward.hand, CANCEL_BLOCKER, aim)


async def test_a_transaction_left_open_is_ended_and_its_connection_with_it(ward: Ward, urls: ClusterUrls) -> None:
    async with session(urls.app, "zena-leaky") as leak:
        await leak.execute("BEGIN")
        await leak.execute("SELECT 1")
        await asyncio.sleep(60 * PACE + 0.3)
        outcome = await ward.heal(END_IDLE_TRANSACTION)
        assert outcome.verdict == "fixed"
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await leak.execute("SELECT 1")


async def test_an_index_is_built_and_taken_back(ward: Ward, urls: ClusterUrls, firm: Firm) -> None:
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute(
            "CREATE TABLE thing (tenant_id uuid NOT NULL, shelf int NOT NULL, note text);"
            "GRANT SELECT ON thing TO zena_app"
        )
        await owner.execute("INSERT INTO thing SELECT $1, n % 500, 'x' FROM generate_series(1, 12000) n", firm.tenant)
        await owner.execute("ANALYZE thing")
        scope = await slow(ward, "SELECT note FROM thing WHERE shelf = $1 AND tenant_id = $2", firm)
        aim = Aim(scope=scope)
        what = await planned(ward.hand, CREATE_INDEX, aim)
        assert what.plan.acts_on["build"] == (
            "CREATE INDEX CONCURRENTLY ix_remedy_thing_shelf ON public.thing (tenant_id, shelf)"
        )
        outcome = await ward.heal(CREATE_INDEX, aim)
        assert outcome.verdict == "improved"
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_remedy_thing_shelf')"
        assert await owner.fetchval(valid) is True
        run = await one(ward.day.conn, outcome.run)
        assert run is not None
        await taken_back(ward.hand, CREATE_INDEX, run, "tried")
        assert await owner.fetchval(valid) is None
        with pytest.raises(Refused, match="already"):
            await taken_back(ward.hand, CREATE_INDEX, await one(ward.day.conn, outcome.run) or {}, "tried")
    finally:
        await owner.execute("DROP TABLE IF EXISTS thing")
        await owner.close()


async def test_the_planners_figures_are_renewed(ward: Ward, urls: ClusterUrls, firm: Firm) -> None:
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute("CREATE TABLE pile (tenant_id uuid NOT NULL, n int); GRANT SELECT ON pile TO zena_app")
        await owner.execute("INSERT INTO pile SELECT $1, n FROM generate_series(1, 3000) n", firm.tenant)
        await owner.execute("SELECT pg_stat_force_next_flush()")
        scope = await slow(ward, "SELECT n FROM pile WHERE tenant_id = $1", firm)
        outcome = await ward.heal(ANALYZE, Aim(scope=scope))
        assert outcome.verdict == "improved"
        assert await owner.fetchval("SELECT reltuples FROM pg_class WHERE relname = 'pile'") == 3000
    finally:
        await owner.execute("DROP TABLE IF EXISTS pile")
        await owner.close()


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        ("ALTER TABLE label DISABLE ROW LEVEL SECURITY", "row_security_off"),
        ("DROP POLICY tenant ON label; CREATE POLICY tenant ON label USING (tenant_id IS NOT NULL)", "policy_changed"),
        ("CREATE POLICY everybody ON label USING (true)", "open_policy"),
    ],
)
async def test_a_fence_is_shut_off_put_up_again_and_opened(
    ward: Ward, urls: ClusterUrls, firm: Firm, broken: str, cause: str
) -> None:
    conn = ward.day.conn
    rules = "SELECT polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy WHERE"
    rules += " polrelid = 'label'::regclass ORDER BY polname"
    before = await conn.fetch(rules)
    assert [row["polname"] for row in before] == ["tenant"]
    await conn.execute(f"SET ROLE zena_owner; {broken}; RESET ROLE")
    async with session(urls.app, "zena-test") as app:
        try:
            await app.execute("SELECT set_config('app.tenant', $1, false)", str(firm.tenant))
            aim = Aim(incident=await ward.incident(BY_ID["T2"]))
            shut = await ward.heal(QUARANTINE, aim)
            assert shut.verdict == "improved"
            assert await app.fetchval("SELECT count(*) FROM label") == 0
            if cause != "row_security_off":  # to shut it off, row security was switched on again
                mended = await ward.heal(RESTORE_FENCE, aim)
                assert mended.verdict == "fixed", mended.says
            with pytest.raises(NotNeeded):
                await planned(ward.hand, RESTORE_FENCE, aim)
            await taken_back(ward.hand, QUARANTINE, await one(conn, shut.run) or {}, "the fence stands")
            assert await conn.fetch(rules) == before
        finally:
            await conn.execute(MADE)


async def test_a_table_that_leaks_is_shut_off_without_being_asked(ward: Ward, urls: ClusterUrls, firm: Firm) -> None:
    conn, named = ward.day.conn, ward.day.state.settings.automatic
    assert named == ("T2",)
    await conn.execute("SET ROLE zena_owner; ALTER TABLE label NO FORCE ROW LEVEL SECURITY; RESET ROLE")
    try:
        opened = [one for one in await look_around(await ward.day.look(), [BY_ID["T2"]]) if not one.reading.scope]
        outcomes = await apply_due(ward.hand, named)
        assert [(one.verdict, one.undone) for one in outcomes] == [("improved", False)]
        run = await one(conn, outcomes[0].run)
        assert run is not None
        assert (run["remedy"], run["incident_id"]) == ("quarantine", opened[0].id)
        async with session(urls.app, "zena-test") as app:
            await app.execute("SELECT set_config('app.tenant', $1, false)", str(firm.tenant))
            assert await app.fetchval("SELECT count(*) FROM label") == 0
    finally:
        await conn.execute(MADE)
