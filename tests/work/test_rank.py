"""Ranks: keys between keys, and the order of a project as people move its tasks."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_project, made_task
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work import rank
from zena.work.actions.insert import insert_tasks
from zena.work.actions.planned import NewTask


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=60))
def test_there_is_always_room_between(places: list[float]) -> None:
    keys: list[str] = []
    for place in places:
        at = int(place * (len(keys) + 1))
        before = keys[at - 1] if at else None
        after = keys[at] if at < len(keys) else None
        keys.insert(at, rank.between(before, after))
        assert keys == sorted(keys)
        assert not keys[at].endswith(rank.DIGITS[0])
    assert len(set(keys)) == len(keys)


@given(st.integers(0, 400), st.sampled_from([("", "000001V"), ("000001V", "000002V"), ("0001", "0001V")]))
def test_spread_keys_are_short_and_in_order(count: int, ends: tuple[str, str]) -> None:
    keys = list(rank.spread(count, *ends))
    assert len(keys) == count
    assert [ends[0], *keys, ends[1]] == sorted({ends[0], *keys, ends[1]})
    assert max(map(len, keys), default=0) <= len(max(ends, key=len)) + 12


@given(st.integers(1, 10**9))
def test_a_number_ranks_behind_all_smaller_ones(number: int) -> None:
    assert (
        rank.rank_of(number) < rank.between(rank.rank_of(number), rank.rank_of(number + 1)) < rank.rank_of(number + 1)
    )


def test_keys_out_of_order_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="order"):
        rank.between("V", "V")


async def order(who: As, project: UUID) -> list[str]:
    rows = (await who.get(f"/api/v1/app/projects/{project}/tasks?limit=100")).json()["data"]
    return [str(row["name"]) for row in rows]


async def put(who: As, task: UUID, **place: Any) -> int:
    body = {name: str(one) for name, one in place.items()}
    return (await who.post(f"/api/v1/app/tasks/{task}/rank", json=body)).status_code


@pytest.fixture
async def abc(state: State, firm: Firm, project: UUID) -> dict[str, UUID]:
    return {name: await made_task(state, firm, project, name=name) for name in "ABC"}


async def test_behind_in_front_and_to_the_end(project: UUID, pm: As, abc: dict[str, UUID]) -> None:
    assert await put(pm, abc["C"], after=abc["A"]) == 200
    assert await order(pm, project) == ["A", "C", "B"]
    assert await put(pm, abc["B"], before=abc["A"]) == 200
    assert await order(pm, project) == ["B", "A", "C"]
    assert await put(pm, abc["B"]) == 200
    assert await order(pm, project) == ["A", "C", "B"]


async def test_what_is_added_later_comes_last(
    state: State, firm: Firm, project: UUID, pm: As, abc: dict[str, UUID]
) -> None:
    await put(pm, abc["A"])
    await made_task(state, firm, project, name="D")
    assert await order(pm, project) == ["B", "C", "A", "D"]


async def test_a_new_task_can_be_placed(project: UUID, pm: As, abc: dict[str, UUID]) -> None:
    await pm.post(f"/api/v1/app/projects/{project}/tasks", json={"name": "X", "after": str(abc["A"])})
    assert await order(pm, project) == ["A", "X", "B", "C"]


async def test_neighbours_that_contradict_each_other_still_give_a_place(
    project: UUID, pm: As, abc: dict[str, UUID]
) -> None:
    """A board may be a moment old: the card it stands behind decides."""
    assert await put(pm, abc["C"], after=abc["B"], before=abc["A"]) == 200
    assert await order(pm, project) == ["A", "B", "C"]


async def test_B03_neighbours_are_live_tasks_of_the_project(
    state: State, firm: Firm, pm: As, abc: dict[str, UUID]
) -> None:
    elsewhere = await made_task(state, firm, await made_project(state, firm, name="Other"))
    for other in (elsewhere, uuid4(), abc["A"]):
        assert await put(pm, abc["A"], after=other) == 404
    await pm.post(f"/api/v1/app/tasks/{abc['B']}/trash")
    assert await put(pm, abc["A"], after=abc["B"]) == 404


async def test_one_row_changes(state: State, firm: Firm, project: UUID, pm: As, abc: dict[str, UUID]) -> None:
    before = (await pm.get(f"/api/v1/app/projects/{project}/tasks")).json()["data"]
    await put(pm, abc["C"], before=abc["A"])
    after = (await pm.get(f"/api/v1/app/projects/{project}/tasks")).json()["data"]
    changed = [row["name"] for row in after if row not in before]
    assert changed == ["C"]


async def test_a_crowded_spot_is_spread_anew(state: State, firm: Firm, project: UUID, pm: As) -> None:
    """Always to the same spot: ranks grow until the neighbourhood gets new ones, and nobody changes places."""
    scope = firm.scope("pm")
    async with tenant_work(state.db, scope) as session:
        tasks = [NewTask(f"T{n:02}") for n in range(30)]
        await insert_tasks(session, scope, project_id=project, tasks=tasks)
    ids = {f"T{n:02}": task.id for n, task in enumerate(tasks)}
    async with state.db.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT set_config('app.tenant', $1, true)", str(firm.tenant))
        for name in ("T01", "T02"):  # as if 700 cards had been dropped here
            long = "000001V" + "0" * 113 + name[-1]
            await conn.execute(
                "UPDATE task SET rank = $2 WHERE tenant_id = $1 AND id = $3", firm.tenant, long, ids[name]
            )
    assert await put(pm, ids["T29"], after=ids["T01"]) == 200
    names = await order(pm, project)
    assert names[:4] == ["T00", "T01", "T29", "T02"]
    rows = (await pm.get(f"/api/v1/app/projects/{project}/tasks?limit=100")).json()["data"]
    assert max(len(row["rank"]) for row in rows) < rank.CROWDED


async def test_B13_fifty_at_once_to_one_spot_all_get_a_place(
    state: State, firm: Firm, project: UUID, pm: As, abc: dict[str, UUID]
) -> None:
    movers = [await made_task(state, firm, project, name=f"M{n}") for n in range(50)]
    answers = await asyncio.gather(*(put(pm, one, after=abc["A"]) for one in movers))
    assert set(answers) == {200}
    rows = (await pm.get(f"/api/v1/app/projects/{project}/tasks?limit=100")).json()["data"]
    ranks = [row["rank"] for row in rows]
    assert ranks == sorted(set(ranks))
    assert [rows[0]["name"], rows[-2]["name"], rows[-1]["name"]] == ["A", "B", "C"]
