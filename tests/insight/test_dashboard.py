"""The same figures as JSON and as a page, for those who may see them."""

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from tests.factories import Firm
from tests.insight.history import History
from zena.insight.figures import (
    DashboardFigures,
    Kpis,
    ProjectFigures,
    ProjectHealth,
    ProjectsFigures,
    TasksFigures,
    TeamFigures,
)
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.cache.clearing import clear

API = "/api/v1/app"


@pytest.fixture
async def life(state: State, firm: Firm) -> History:
    """A firm with one project and three tasks: one overdue, one done, one to come."""
    made = History(state, firm, random.Random(5), datetime.now(UTC))  # noqa: S311 - tests
    today = made.scope.today
    await made.do(lambda session: made.new_project(session, budget_planned=1000, budget_actual=500))
    for days in (-2, 1, 20):
        due = today + timedelta(days=days)
        await made.do(partial(made.new_task, due_on=due, parent_id=None, assignees=[]))
    for step in ("in_progress", "done"):
        await made.do(partial(made.take, task=made.tasks[1], to=step))
    return made


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("dashboard", Kpis[DashboardFigures]),
        ("dashboard/projects", Kpis[ProjectsFigures]),
        ("dashboard/tasks", Kpis[TasksFigures]),
        ("dashboard/team", Kpis[TeamFigures]),
    ],
)
async def test_every_family_answers_in_its_shape(
    path: str, shape: type, life: History, firm: Firm, http: httpx.AsyncClient
) -> None:
    response = await firm.client(http).get(f"{API}/{path}")
    assert response.status_code == 200
    found: Kpis[Any] = msgspec.json.decode(response.content, type=shape)
    assert found.family == path.rpartition("/")[2]
    assert found.version > 0
    assert found.generated_at.tzinfo is not None


async def test_the_figures_are_those_of_the_rows(life: History, firm: Firm, http: httpx.AsyncClient) -> None:
    figures = (await firm.client(http).get(f"{API}/dashboard")).json()["data"]
    assert (figures["total_tasks"], figures["done_tasks"], figures["overdue_tasks"]) == (3, 1, 1)
    assert figures["task_completion_rate"] == 33.33
    assert figures["budget_utilisation"] == 50.0
    assert (figures["members_total"], figures["members_active"]) == (6, 6)


async def test_one_project_by_its_counters(life: History, firm: Firm, http: httpx.AsyncClient) -> None:
    owner, project = firm.client(http), life.projects[0]
    kpis = msgspec.json.decode(
        (await owner.get(f"{API}/projects/{project}/kpis")).content, type=Kpis[ProjectFigures]
    ).data
    assert (kpis.total_tasks, kpis.open_tasks, kpis.overdue_tasks) == (3, 2, 1)
    health = msgspec.json.decode(
        (await owner.get(f"{API}/projects/{project}/health")).content, type=Kpis[ProjectHealth]
    ).data
    assert (health.health.schedule, health.health.cost, health.health.overall) == ("at_risk", "on_budget", "warning")


async def test_a_project_that_is_not_ours_is_not_there(
    life: History, firm: Firm, stranger: Firm, http: httpx.AsyncClient
) -> None:
    for path in (f"{API}/projects/{life.projects[0]}/kpis", f"{API}/projects/{life.projects[0]}/health"):
        foreign = await stranger.client(http).get(path)
        unknown = await stranger.client(http).get(path.replace(str(life.projects[0]), str(new_id())))
        assert (foreign.status_code, foreign.json()["code"]) == (404, "PROJECT_NOT_FOUND")
        assert foreign.json()["detail"] == unknown.json()["detail"]


async def test_the_page_shows_what_the_api_says(life: History, firm: Firm, http: httpx.AsyncClient) -> None:
    page = await firm.client(http).get("/dashboard")
    assert page.status_code == 200
    for part in ('href="/tasks?due=overdue"', "Overdue tasks", "Site 0", "schedule at risk", "Budget used", "50.0%"):
        assert part in page.text, part
    assert f'data-live="tenant:{firm.tenant}:dashboard"' in page.text
    assert "style=" not in page.text


async def test_a_live_update_gets_the_figures_alone(life: History, firm: Firm, http: httpx.AsyncClient) -> None:
    owner = firm.client(http)
    part = await owner.get("/dashboard", headers={"hx-request": "true", "hx-target": "figures"})
    assert part.text.lstrip().startswith("<div") or "<!doctype" not in part.text
    assert 'id="figures"' in part.text
    assert "<nav" not in part.text.split('id="figures"')[0]


async def test_the_page_follows_a_write(life: History, firm: Firm, http: httpx.AsyncClient) -> None:
    owner = firm.client(http)
    assert "1 of 3 tasks are done" in (await owner.get("/dashboard")).text
    await life.do(lambda session: life.new_task(session, parent_id=None))
    assert "1 of 4 tasks are done" in (await owner.get("/dashboard")).text


async def test_who_sees_no_cost_sees_none_on_the_page(life: History, firm: Firm, http: httpx.AsyncClient) -> None:
    assert "Budget used" in (await firm.client(http).get("/dashboard")).text
    seen = (await firm.client(http, "member").get("/dashboard")).text
    assert "Site 0" in seen
    for word in ("Budget used", "budget", "₫"):
        assert word not in seen


async def test_the_page_in_vietnamese(life: History, firm: Firm, http: httpx.AsyncClient) -> None:
    page = await firm.client(http).get("/dashboard", headers={"accept-language": "vi"})
    assert '<html lang="vi"' in page.text
    assert "Overdue tasks" not in page.text
    assert "Project health" not in page.text
    assert re.search(r"85 trên 100 việc xong trong \d+,\d ngày", page.text)


async def test_a_firm_without_projects_is_told_how_to_begin(firm: Firm, http: httpx.AsyncClient) -> None:
    page = (await firm.client(http).get("/dashboard")).text
    assert "No project yet" in page
    assert page.count('href="/projects/new"') == 1
    viewer = (await firm.client(http, "viewer").get("/dashboard")).text
    assert "No project yet" in viewer
    assert 'href="/projects/new"' not in viewer


async def test_all_figures_of_an_empty_firm_are_zero(firm: Firm, http: httpx.AsyncClient) -> None:
    owner = firm.client(http)
    figures = (await owner.get(f"{API}/dashboard")).json()["data"]
    people = {"members_total": 6, "members_active": 6}
    assert {name: value for name, value in figures.items() if value} == people
    tasks = (await owner.get(f"{API}/dashboard/tasks")).json()["data"]
    assert tasks["cycle_time"] == {"p50": None, "p85": None, "sample": 0}
    assert len(tasks["days"]) == 30


async def test_the_way_in_leads_where_the_day_begins(firm: Firm, http: httpx.AsyncClient) -> None:
    assert (await firm.client(http).get("/")).headers["location"] == "/dashboard"
    assert (await firm.client(http, "client").get("/")).headers["location"] == "/projects"


async def test_a_page_that_is_kept_is_compared_and_cleared_like_the_figures_in_it(
    life: History, firm: Firm, http: httpx.AsyncClient, state: State, urls: ClusterUrls
) -> None:
    heard: list[tuple[str, list[str]]] = []

    def hear(_: str, tenant: UUID, cause: str, fields: Sequence[str]) -> None:
        if tenant == firm.tenant:
            heard.append((cause, list(fields)))

    async def shown() -> str:
        return str((await firm.client(http).get("/dashboard")).text)

    shadow, ops = state.cache.shadow, await asyncpg.connect(urls.ops)
    every, shadow.every = shadow.every, 0
    shadow.listeners.append(hear)
    try:
        before = await shown()
        await ops.execute("UPDATE project SET budget_actual = 987 WHERE tenant_id = $1", firm.tenant)
        for _ in range(3):  # each family in turn
            assert "98.7" not in await shown(), "kept"
        assert ("invalidation_missing", ["budget_actual", "budget_utilisation"]) in heard
        async for _ in clear(ops, tenant=firm.tenant, families=["dashboard"]):
            pass
        after = await shown()
    finally:
        shadow.listeners.remove(hear)
        shadow.every = every
        await ops.close()
    assert ("98.7" in before, "98.7" in after) == (False, True)
    assert life.scope.tenant == firm.tenant
