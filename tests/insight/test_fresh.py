"""I04: what somebody has written is in the figures they read next; the cache never shows anything older."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.factories import Firm, make_firm
from tests.insight.conftest import Inside
from tests.insight.history import History
from zena.insight import kpis
from zena.insight.figures import Kpis
from zena.kit.cache import Cache
from zena.kit.clock import FixedClock
from zena.kit.scope import Scope
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.labels import create_label


def history_of(state: State, firm: Firm, at: datetime | None = None) -> History:
    return History(state, firm, random.Random(7), at or datetime.now(UTC))  # noqa: S311 - tests


async def read(inside: Inside, cache: Cache, scope: Scope, family: str = "dashboard") -> Kpis[Any]:
    async with inside(scope) as conn:
        return await kpis.family(conn, scope, cache, family)


async def test_I04_a_reader_sees_its_own_write_at_once(state: State, firm: Firm, inside: Inside, cache: Cache) -> None:
    life = history_of(state, firm)
    await life.do(life.new_project)
    for count in range(1, 8):
        await read(inside, cache, life.scope)
        assert await life.do(life.new_task)
        assert (await read(inside, cache, life.scope)).data.total_tasks == count


async def test_I04_holds_for_many_who_write_and_read_at_once(
    state: State, firm: Firm, inside: Inside, cache: Cache
) -> None:
    life = history_of(state, firm)
    await life.do(life.new_project)
    written = 0

    async def one() -> None:
        nonlocal written
        for _ in range(6):
            assert await life.do(life.new_task)
            written += 1
            least = written
            assert (await read(inside, cache, life.scope)).data.total_tasks >= least

    await asyncio.gather(*(one() for _ in range(4)))
    assert (await read(inside, cache, life.scope)).data.total_tasks == 24


async def test_what_nothing_touched_comes_from_the_cache_with_its_time_and_version(
    state: State, firm: Firm, inside: Inside, cache: Cache, clock: FixedClock
) -> None:
    life = history_of(state, firm, clock.now())
    await life.do(life.new_project)
    first = await read(inside, cache, life.scope)
    clock.advance(timedelta(seconds=30))
    second = await read(inside, cache, life.scope)
    assert (second.generated_at, second.version) == (first.generated_at, first.version)
    assert first.version > 0
    clock.advance(timedelta(seconds=kpis.LIFE))
    assert (await read(inside, cache, life.scope)).generated_at == clock.now()


async def test_an_event_that_counts_nothing_leaves_the_cache_alone(
    state: State, firm: Firm, inside: Inside, cache: Cache
) -> None:
    life = history_of(state, firm)
    for deed in (life.new_project, life.new_task):
        await life.do(deed)
    before = await read(inside, cache, life.scope, "projects")
    async with tenant_work(state.db, life.scope) as session:
        await create_label(session, life.scope, name="Façade")
    assert (await read(inside, cache, life.scope, "projects")).generated_at == before.generated_at


async def test_two_firms_never_share_a_figure(state: State, inside: Inside, cache: Cache) -> None:
    ours, theirs = await make_firm(state.db), await make_firm(state.db)
    life = history_of(state, ours)
    for deed in (life.new_project, life.new_task, life.new_task):
        await life.do(deed)
    assert (await read(inside, cache, ours.scope())).data.total_tasks == 2
    other = replace(theirs.scope(), at=life.at)
    for family in ("dashboard", "projects", "tasks", "team"):
        found = (await read(inside, cache, other, family)).data
        assert "Site" not in repr(found)
    assert (await read(inside, cache, other)).data.total_tasks == 0
    assert len(await cache.keys(f"kpi:{ours.tenant}:*")) == 1


async def test_money_is_only_for_those_who_see_cost(state: State, firm: Firm, inside: Inside, cache: Cache) -> None:
    life = history_of(state, firm)
    await life.do(lambda session: life.new_project(session, budget_planned=1000, budget_actual=1200))
    whole = (await read(inside, cache, life.scope)).data
    assert (whole.budget_planned, whole.budget_utilisation) == (1000, 120.0)
    viewer = replace(firm.scope("viewer"), at=life.at)
    plain = (await read(inside, cache, viewer)).data
    assert (plain.budget_planned, plain.budget_actual, plain.budget_utilisation) == (None, None, None)
    standing = (await read(inside, cache, viewer, "projects")).data.worst[0].health
    assert (standing.overall, standing.cost, standing.overrun) == ("critical", None, None)
    seen = (await read(inside, cache, life.scope, "projects")).data.worst[0].health
    assert (seen.cost, seen.overrun) == ("over_budget", 20.0)
