"""What watches the rows: switched on again and held against them; an index that was not finished is made anew."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from tests.factories import Firm
from tests.operate.remedied import Ward, session, warded
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.integrity.posture import SWITCHES, wrong
from zena.operate.remedies.contract import Refused, Target
from zena.operate.remedies.fences import as_owner
from zena.operate.remedies.indexes import REBUILD_INDEX
from zena.operate.remedies.keys import RESTORE_KEYS
from zena.operate.symptoms import x2_corruption
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Reading

AT = datetime(2031, 6, 18, 6, 0, tzinfo=UTC)
READING = Reading("", over=True, calm=False, says="a switch is off")
TARGET = Target(BY_ID["X2"], "", READING)
OFF, ON = "ALTER TABLE task_label DISABLE TRIGGER ALL", "ALTER TABLE task_label ENABLE TRIGGER ALL"
KEYS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'task_label'::regclass"
STRAY = "INSERT INTO task_label (tenant_id, task_id, label_id) VALUES ($1, $2, $3)"


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made


@pytest.fixture
async def root(urls: ClusterUrls) -> AsyncIterator[Any]:
    async with session(urls.superuser, "zena-test") as conn:
        yield conn


@pytest.fixture
async def unwatched(ward: Ward, root: Any) -> AsyncIterator[Ward]:
    await root.execute(OFF)
    yield ward
    await root.execute(ON)


async def sound(ward: Ward) -> list[str]:
    """What of the server's switches is off."""
    return [one.subject for switch in SWITCHES for one in await wrong(ward.day.conn, switch)]


async def done(ward: Ward, remedy: Any) -> Any:
    """Plan, apply, and return what was acted on."""
    plan = await remedy.plan(ward.hand.look(), TARGET)
    assert not await remedy.gone(ward.hand.look(), plan.acts_on)
    try:
        await remedy.apply(ward.hand.look(), plan.acts_on, ward.lines.append)
    finally:
        await ward.day.conn.execute("RESET ROLE; RESET statement_timeout")
    return plan.acts_on


async def test_where_all_is_watched_there_is_nothing_to_do(ward: Ward) -> None:
    for remedy in (RESTORE_KEYS, REBUILD_INDEX):
        with pytest.raises(Refused, match="a switch is off"):
            await remedy.plan(ward.hand.look(), TARGET)


async def test_keys_are_watched_again_as_they_were(unwatched: Ward, root: Any, firm: Firm) -> None:
    before = sorted(row[0] for row in await root.fetch(KEYS))
    found = await x2_corruption.diagnose(unwatched.hand.look(), (await x2_corruption.watch(unwatched.hand.look()))[0])
    assert (found.cause, found.causes[0].next) == ("keys_off", "zena runbook plan restore_keys")
    acted = await done(unwatched, RESTORE_KEYS)
    assert await RESTORE_KEYS.gone(unwatched.hand.look(), acted)
    assert (await sound(unwatched), sorted(row[0] for row in await root.fetch(KEYS))) == ([], before)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await root.execute(STRAY, firm.tenant, new_id(), new_id())


async def test_rows_that_came_in_meanwhile_are_told_and_no_more_come(unwatched: Ward, root: Any, firm: Firm) -> None:
    stray = (firm.tenant, new_id(), new_id())
    await root.execute(STRAY, *stray)
    try:
        with pytest.raises(Refused, match=r"rows came in meanwhile that contradict \S+ of task_label.*--repair"):
            await done(unwatched, RESTORE_KEYS)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await root.execute(STRAY, firm.tenant, new_id(), new_id())
        assert await sound(unwatched) == ["constraint"]
    finally:
        await root.execute("DELETE FROM task_label WHERE task_id = $1", stray[1])
    await done(unwatched, RESTORE_KEYS)
    assert await sound(unwatched) == []


async def test_who_is_cut_off_before_the_rows_were_looked_at_leaves_that_to_the_next(unwatched: Ward) -> None:
    look = unwatched.hand.look()
    plan = await RESTORE_KEYS.plan(look, TARGET)
    await as_owner(look.conn, plan.acts_on["statements"])  # and then the process is gone
    assert not await RESTORE_KEYS.gone(look, plan.acts_on)
    left = await done(unwatched, RESTORE_KEYS)
    assert (left["statements"], left["looks"]) == ([], plan.acts_on["looks"])
    assert await sound(unwatched) == []


async def test_a_trigger_of_ours_is_switched_on_again(ward: Ward, root: Any) -> None:
    await root.execute(
        "CREATE TRIGGER test_same BEFORE UPDATE ON label FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger(); ALTER TABLE label DISABLE TRIGGER test_same"
    )
    try:
        acted = await done(ward, RESTORE_KEYS)
        assert acted["keys"] == ["test_same of label"]
        assert await sound(ward) == []
    finally:
        await root.execute("DROP TRIGGER test_same ON label")


async def test_an_index_that_was_not_finished_is_made_anew_and_what_a_break_left_is_dropped(
    ward: Ward, root: Any
) -> None:
    spoil = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::text::regclass"
    await root.execute("CREATE INDEX pk_label_ccnew ON label (tenant_id, id)")
    for index in ("pk_label", "pk_label_ccnew"):
        await root.execute(spoil, index)
    try:
        acted = await done(ward, REBUILD_INDEX)
        assert acted["statements"] == {
            "pk_label": "REINDEX INDEX CONCURRENTLY pk_label",
            "pk_label_ccnew": "DROP INDEX CONCURRENTLY pk_label_ccnew",
        }
        assert await REBUILD_INDEX.gone(ward.hand.look(), acted)
        assert await sound(ward) == []
        assert await root.fetchval("SELECT to_regclass('pk_label_ccnew')") is None
    finally:
        await root.execute("DROP INDEX IF EXISTS pk_label_ccnew")
