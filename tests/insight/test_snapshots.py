"""Daily history: one row a day, and what the dashboard compares with."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.factories import Firm
from tests.insight.conftest import Inside
from tests.insight.history import History
from zena.insight import jobs, kpis
from zena.insight.actions import KEPT, forget_old_snapshots, take_snapshot
from zena.kit.cache import Cache
from zena.kit.queue import JobWork
from zena.kit.state import State
from zena.kit.uow import tenant_work, unit_of_work

TODAY = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)


@pytest.fixture
def life(state: State, firm: Firm) -> History:
    return History(state, firm, random.Random(4), TODAY)  # noqa: S311 - tests


async def snapshot(life: History, at: datetime) -> None:
    scope = replace(life.scope, at=at)
    async with tenant_work(life.state.db, scope) as session:
        await take_snapshot(session, scope)


async def rows(life: History, inside: Inside, table: str) -> list[Any]:
    async with inside(life.scope) as conn:
        return list(await conn.fetch(f"SELECT * FROM {table} ORDER BY day"))  # noqa: S608 - a table of ours


async def test_the_last_snapshot_of_a_day_stays(life: History, inside: Inside) -> None:
    await life.do(life.new_project)
    await snapshot(life, TODAY)
    await life.do(life.new_task)
    await snapshot(life, TODAY + timedelta(hours=2))
    await snapshot(life, TODAY + timedelta(days=1))
    kept = await rows(life, inside, "kpi_snapshot")
    assert [row["figures"]["total_tasks"] for row in kept] == [1, 1]
    assert [row["day"].day for row in kept] == [10, 11]
    health = await rows(life, inside, "project_health_snapshot")
    assert [(row["project_id"], row["total"]) for row in health] == [(life.projects[0], 1)] * 2


async def test_the_dashboard_compares_with_a_week_ago(life: History, inside: Inside, cache: Cache) -> None:
    await life.do(life.new_project)
    await snapshot(life, TODAY - timedelta(days=8))
    await snapshot(life, TODAY - timedelta(days=6))
    async with inside(life.scope) as conn:
        past = (await kpis.family(conn, life.scope, cache, "dashboard")).past
    assert past is not None
    assert (past.day.day, past.days_ago) == (2, 8)
    assert past.figures["total_projects"] == 1


async def test_what_is_too_old_is_not_compared_with(life: History, inside: Inside, cache: Cache) -> None:
    await snapshot(life, TODAY - timedelta(days=14))
    async with inside(life.scope) as conn:
        assert (await kpis.family(conn, life.scope, cache, "dashboard")).past is None


async def test_past_money_is_only_for_those_who_see_cost(life: History, inside: Inside, cache: Cache) -> None:
    await snapshot(life, TODAY - timedelta(days=7))
    for role, seen in (("owner", True), ("viewer", False)):
        scope = replace(life.firm.scope(role), at=life.at)
        async with inside(scope) as conn:
            past = (await kpis.family(conn, scope, cache, "dashboard")).past
        assert past is not None
        assert ("budget_planned" in past.figures) is seen


async def test_old_history_is_forgotten(life: History, inside: Inside) -> None:
    await life.do(life.new_project)
    for days in (KEPT.days + 1, KEPT.days - 1, 0):
        await snapshot(life, TODAY - timedelta(days=days))
    async with tenant_work(life.state.db, life.scope) as session:
        await forget_old_snapshots(session, life.scope)
    assert len(await rows(life, inside, "kpi_snapshot")) == 2
    assert len(await rows(life, inside, "project_health_snapshot")) == 2


async def test_the_job_takes_its_firms_snapshot_and_no_others(
    state: State, life: History, stranger: Firm, inside: Inside
) -> None:
    await jobs.snapshot(work(state, life.firm.tenant, "insight.snapshot"))
    assert len(await rows(life, inside, "kpi_snapshot")) == 1
    async with inside(stranger.scope()) as conn:
        assert await conn.fetchval("SELECT count(*) FROM kpi_snapshot") == 0


async def test_the_schedule_queues_one_job_for_each_served_firm(state: State, firm: Firm, stranger: Firm) -> None:
    await jobs.snapshots(work(state, None, "insight.snapshots"))
    async with unit_of_work(state.db) as session:
        found = await session.scalar(text("SELECT count(id) FROM queue.pgqueuer WHERE entrypoint = 'insight.snapshot'"))
    assert found is not None
    assert found >= 2


async def test_the_page_tells_the_change(life: History, firm: Firm, http: httpx.AsyncClient) -> None:
    life.at = datetime.now(UTC)
    await life.do(life.new_project)
    await snapshot(life, life.at - timedelta(days=7))
    await life.do(life.new_project)
    await life.do(lambda session: life.new_task(session, due_on=life.scope.today - timedelta(days=1)))
    page = (await firm.client(http).get("/dashboard")).text
    assert "+1 against last week" in page
    assert 'aria-label="0 to 1"' in page


def work(state: State, tenant: Any, name: str) -> JobWork:
    return JobWork(state=state, job_id=1, name=name, tenant=tenant, attempt=1, attempts=5, slots=asyncio.Semaphore(1))
