"""D2: a found value that differs, and counters that are not the number of their rows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.factories import Firm
from tests.operate.remedied import warded
from tests.operate.watched import Day, own_day
from tests.work.making import made_project, made_task
from zena.kit.clock import FixedClock
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.remedies.figures import CLEAR_FAMILY
from zena.operate.remedies.runner import Aim, Hand, NotNeeded, planned
from zena.operate.symptoms.contract import Diagnosis, Look, Reading
from zena.operate.symptoms.d2_wrong_figures import SYMPTOM
from zena.operate.telemetry.shadow import counting
from zena.operate.watch.rounds import look_around

AT = datetime(2031, 11, 13, 12, 0, tzinfo=UTC)


@pytest.fixture
async def day(state: State, urls: ClusterUrls) -> AsyncIterator[Day]:
    async with own_day(state, urls.ops, AT) as made:
        yield made


async def seen(look: Look, scope: str) -> tuple[Reading, Diagnosis]:
    [reading] = [one for one in await SYMPTOM.watch(look) if one.scope == scope]
    return reading, await SYMPTOM.diagnose(look, reading)


@pytest.mark.parametrize("cause", ["invalidation_missing", "wrong_value", "clock"])
async def test_one_wrong_value_opens_and_names_its_fields(day: Day, cause: str) -> None:
    firm = new_id()
    for _ in range(40):
        counting(day.made)("tasks", firm, "", ())
        counting(day.made)("team", firm, "", ())
    fine, _ = await seen(await day.look(), "tasks")
    assert (fine.over, fine.calm) == (False, True)
    counting(day.made)("tasks", firm, cause, ("overdue", "days"))
    [opened] = await look_around(await day.look(), [SYMPTOM])
    assert (opened.reading.scope, opened.diagnosis.cause) == ("tasks", cause)
    [told] = opened.diagnosis.causes[0].evidence
    assert told.says == f"tasks of firm {firm}, 1 times: overdue,days"
    day.later(minutes=6)
    quiet, _ = await seen(await day.look(), "tasks")
    assert quiet.over is None, "nobody looked: that is not health"
    counting(day.made)("tasks", firm, "", ())
    for _ in range(2):
        await look_around(await day.look(), [SYMPTOM])
    state = "SELECT closed_at IS NOT NULL FROM ops.incident WHERE id = $1"
    assert await day.conn.fetchval(state, opened.id) is True


async def test_long_names_of_fields_are_cut_and_many_firms_are_one_cause(day: Day) -> None:
    for _ in range(4):
        counting(day.made)(
            "dashboard", new_id(), "wrong_value", [f"a_field_with_a_long_name_{n}" * 3 for n in range(9)]
        )
    reading, why = await seen(await day.look(), "dashboard")
    assert (reading.value, [one.cause for one in why.causes][:1], len(why.causes[0].evidence)) == (
        4.0, ["wrong_value"], 3,
    )  # fmt: skip


async def test_counters_that_are_not_their_rows_are_found_where_people_work(day: Day, state: State, firm: Firm) -> None:
    project = await made_project(state, firm)
    await made_task(state, firm, project)
    day.request("/dashboard", 10, times=3, tenant=str(firm.tenant))
    scope = f"firm {firm.tenant}"
    fine, _ = await seen(await day.look(), scope)
    assert (fine.over, fine.calm) == (False, True), fine
    await day.conn.execute("UPDATE project_stats SET done = done + 1 WHERE tenant_id = $1", firm.tenant)
    [opened] = await look_around(await day.look(), [SYMPTOM])
    assert (opened.reading.scope, opened.diagnosis.cause) == (scope, "wrong_counters")
    assert "project_stats of 1" in opened.diagnosis.causes[0].says
    day.later(minutes=30)
    still, _ = await seen(await day.look(), scope)
    assert still.over, "nobody works there any more, and it is still wrong"
    await day.conn.execute("UPDATE project_stats SET done = done - 1 WHERE tenant_id = $1", firm.tenant)
    mended, _ = await seen(await day.look(), scope)
    assert (mended.over, mended.calm) == (False, True)


async def test_the_remedy_lets_nobody_read_the_wrong_value_again(
    day: Day, state: State, firm: Firm, stranger: Firm
) -> None:
    versions = "SELECT versions FROM tenant_head WHERE tenant_id = $1"
    for family in ("dashboard", "tasks"):
        counting(day.made)(family, firm.tenant, "", ())
    with pytest.raises(NotNeeded):
        await planned(Hand(day.conn, state.settings, FixedClock(day.now), "me", print), CLEAR_FAMILY, Aim())
    counting(day.made)("dashboard", firm.tenant, "invalidation_missing", ["budget_actual"])
    await day.look()
    day.later(seconds=0.5)
    async with warded(day) as ward:
        before = {one.tenant: await day.conn.fetchval(versions, one.tenant) or {} for one in (firm, stranger)}
        what = await planned(ward.hand, CLEAR_FAMILY, Aim())
        assert (what.target.scope, what.plan.acts_on["firms"], dict(what.plan.touches)) == (
            "dashboard", [str(firm.tenant)], {"firms": 1, "families": 1},
        )  # fmt: skip
        outcome = await ward.heal(CLEAR_FAMILY)
    assert outcome.helped, outcome
    after = {one.tenant: await day.conn.fetchval(versions, one.tenant) or {} for one in (firm, stranger)}
    assert after[stranger.tenant] == before[stranger.tenant]
    assert after[firm.tenant] == before[firm.tenant] | {"cleared:dashboard": 1}
