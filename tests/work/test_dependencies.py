"""Which task waits for which: no circles, named when refused, also under fire."""

import asyncio
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_link, made_project, made_task
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.insert import insert_tasks
from zena.work.actions.planned import NewLink, NewTask


async def link(who: As, after: UUID, before: UUID, **fields: Any) -> httpx.Response:
    body = {"predecessor_id": str(before), **fields}
    return await who.post(f"/api/v1/app/tasks/{after}/dependencies", json=body)


@pytest.fixture
async def chain(state: State, firm: Firm, project: UUID) -> list[UUID]:
    """Four tasks, each waiting for the one before it."""
    tasks = [await made_task(state, firm, project, name=name) for name in "ABCD"]
    for before, after in pairwise(tasks):
        await made_link(state, firm, before, after)
    return tasks


async def test_both_sides_see_the_link(pm: As, chain: list[UUID]) -> None:
    rows = (await pm.get(f"/api/v1/app/tasks/{chain[1]}/dependencies")).json()["data"]
    assert [(row["direction"], row["key"], row["type"]) for row in rows] == [
        ("predecessor", "HBR-1", "FS"),
        ("successor", "HBR-3", "FS"),
    ]


async def test_a_circle_is_refused_and_named(pm: As, chain: list[UUID]) -> None:
    refused = await link(pm, chain[0], chain[3])
    assert (refused.status_code, refused.json()["code"]) == (422, "DEPENDENCY_CYCLE")
    assert refused.json()["details"]["cycle"] == ["HBR-1", "HBR-4", "HBR-3", "HBR-2", "HBR-1"]
    assert (await link(pm, chain[0], chain[1])).json()["details"]["cycle"] == ["HBR-1", "HBR-2", "HBR-1"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"type": "XX"}, "type"), ({"lag_min": 10**9}, "lag_min"), ({"lag_min": 1.5}, "lag_min"), ({"lag": 1}, "lag")],
)
async def test_wrong_fields_are_named(fields: dict[str, Any], path: str, pm: As, chain: list[UUID]) -> None:
    refused = await link(pm, chain[3], chain[0], **fields)
    assert (refused.status_code, refused.json()["details"]["fields"][0]["path"]) == (422, path)


async def test_itself_twice_and_nobody(pm: As, chain: list[UUID]) -> None:
    assert (await link(pm, chain[0], chain[0])).json()["details"]["fields"][0]["code"] == "self"
    assert (await link(pm, chain[1], chain[0])).status_code == 409
    assert (await link(pm, chain[1], uuid4())).status_code == 404
    assert (await link(pm, chain[3], chain[0], type="SS", lag_min=-480)).status_code == 201


async def test_B02_a_dependency_is_found_under_its_own_task_only(
    state: State, firm: Firm, project: UUID, pm: As, chain: list[UUID]
) -> None:
    one = await made_task(state, firm, project, name="E")
    dependency = await made_link(state, firm, chain[3], one)
    assert (await pm.delete(f"/api/v1/app/tasks/{chain[0]}/dependencies/{dependency}")).status_code == 404
    assert (await pm.delete(f"/api/v1/app/tasks/{one}/dependencies/{dependency}")).status_code == 204
    assert (await pm.delete(f"/api/v1/app/tasks/{one}/dependencies/{dependency}")).status_code == 404


async def test_a_link_may_cross_projects_of_the_firm_but_no_more(
    state: State, firm: Firm, stranger: Firm, pm: As, chain: list[UUID]
) -> None:
    other = await made_project(state, firm, name="Quay wall")
    task = await made_task(state, firm, other)
    assert (await link(pm, task, chain[3])).status_code == 201
    foreign = await made_task(state, stranger, await made_project(state, stranger))
    assert (await link(pm, task, foreign)).status_code == 404


async def test_at_most_a_hundred_on_each_side(state: State, firm: Firm, project: UUID, pm: As) -> None:
    scope = firm.scope("pm")
    tasks = [NewTask(f"T{n}") for n in range(102)]
    links = [NewLink(one.id, tasks[-1].id) for one in tasks[:100]]
    async with tenant_work(state.db, scope) as session:
        await insert_tasks(session, scope, project_id=project, tasks=tasks, links=links)
    refused = await link(pm, tasks[-1].id, tasks[100].id)
    assert (refused.status_code, refused.json()["code"]) == (422, "QUOTA_EXCEEDED")


async def test_the_search_for_circles_stays_cheap_in_a_mesh(state: State, firm: Firm, project: UUID, pm: As) -> None:
    """Ten layers of ten, each waiting for the whole layer before: ten billion ways, nine hundred links."""
    scope = firm.scope("pm")
    tasks = [NewTask(f"T{n}") for n in range(101)]
    links = [
        NewLink(tasks[10 * (layer - 1) + a].id, tasks[10 * layer + b].id)
        for layer in range(1, 10)
        for a in range(10)
        for b in range(10)
    ]
    async with tenant_work(state.db, scope) as session:
        await insert_tasks(session, scope, project_id=project, tasks=tasks, links=links)
    assert (await link(pm, tasks[100].id, tasks[99].id)).status_code == 201
    assert (await link(pm, tasks[0].id, tasks[100].id)).json()["code"] == "DEPENDENCY_CYCLE"


async def test_B13_of_many_links_that_close_a_circle_together_one_is_refused(
    state: State, firm: Firm, project: UUID, pm: As
) -> None:
    ring = [await made_task(state, firm, project, name=f"R{n}") for n in range(25)]
    both = [(ring[n], ring[n - 1]) for n in range(25)]
    answers = await asyncio.gather(*(link(pm, after, before) for after, before in both))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 24 + [422]
    pair = [await made_task(state, firm, project, name=name) for name in ("X", "Y")]
    sides = await asyncio.gather(link(pm, pair[0], pair[1]), link(pm, pair[1], pair[0]))
    assert sorted(answer.status_code for answer in sides) == [201, 422]
