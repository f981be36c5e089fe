"""Many tasks at once: a result for each, one event each, and one way back."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_label, made_link, made_task
from tests.work.test_lifecycle import move
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.insert import insert_tasks
from zena.work.actions.planned import NewTask
from zena.work.models import Task

BULK = "/api/v1/app/tasks/bulk"


async def rows_of(who: As, project: UUID) -> dict[str, dict[str, Any]]:
    answer = await who.get(f"/api/v1/app/projects/{project}/tasks?limit=100")
    return {row["id"]: row for row in answer.json()["data"]}


def without(rows: dict[str, dict[str, Any]], *names: str) -> dict[str, dict[str, Any]]:
    return {key: {name: value for name, value in row.items() if name not in names} for key, row in rows.items()}


async def bulk(who: As, ids: list[UUID], **wish: Any) -> httpx.Response:
    return await who.post(BULK, json={"ids": [str(one) for one in ids], **wish})


async def test_each_task_gets_its_own_answer(state: State, firm: Firm, project: UUID, pm: As, stranger: Firm) -> None:
    first, waits = [await made_task(state, firm, project, name=name) for name in ("Dig", "Pour")]
    await made_link(state, firm, first, waits)
    answer = await bulk(pm, [first, waits, uuid4()], status="in_progress")
    assert answer.status_code == 200
    outcomes = answer.json()["data"]
    assert [(one["ok"], one["code"]) for one in outcomes] == [
        (True, None),
        (False, "DEPENDENCIES_NOT_DONE"),
        (False, "TASK_NOT_FOUND"),
    ]
    assert (answer.json()["changed"], answer.json()["refused"]) == (1, 2)


@pytest.mark.parametrize(
    "wish",
    [
        {"status": "canceled", "reason": "No need"},
        {"status": "in_progress"},
        {"set": {"priority": "urgent", "due_on": "2026-05-01", "estimate_min": 90}},
        {
            "status": "in_progress",
            "set": {"priority": "low"},
            "assign": {"add": ["$member"]},
            "label": {"labels": ["$label"]},
        },
        {"assign": {"assignees": ["$member"]}},
        {"trash": True},
    ],
)
async def test_undo_brings_everything_back_as_one_step(
    wish: dict[str, Any], state: State, firm: Firm, project: UUID, pm: As
) -> None:
    label = await made_label(state, firm)
    parent = await made_task(state, firm, project, name="Part", progress=30)
    child = await made_task(state, firm, project, name="Child", parent_id=parent, labels=[label])
    other = await made_task(state, firm, project, name="Other", estimate_min=60, due_on=None)
    filled = filled_in(wish, {"$member": str(firm.scope("member").member), "$label": str(label)})
    before = await rows_of(pm, project)
    answer = await bulk(pm, [parent, child, other] if "trash" not in wish else [other], **filled)
    assert answer.json()["refused"] == 0, answer.text
    assert without(await rows_of(pm, project), "version", "updated_at") != without(before, "version", "updated_at")
    undone = await pm.post(f"{BULK}/{answer.json()['id']}/undo")
    assert (undone.status_code, undone.json()["refused"]) == (200, 0), undone.text
    assert without(await rows_of(pm, project), "version", "updated_at") == without(before, "version", "updated_at")
    assert (await pm.post(f"{BULK}/{answer.json()['id']}/undo")).status_code == 409


async def test_undo_leaves_what_was_changed_since(state: State, firm: Firm, project: UUID, pm: As) -> None:
    one, two = [await made_task(state, firm, project, name=name) for name in ("A", "B")]
    done = (await bulk(pm, [one, two], set={"priority": "high"})).json()
    await move(pm, one, "in_progress")
    undone = (await pm.post(f"{BULK}/{done['id']}/undo")).json()
    assert {row["id"]: row["ok"] for row in undone["data"]} == {str(one): False, str(two): True}
    rows = await rows_of(pm, project)
    assert (rows[str(one)]["priority"], rows[str(two)]["priority"]) == ("high", "normal")


async def test_one_event_each_under_one_batch(state: State, firm: Firm, project: UUID, pm: As) -> None:
    tasks = [await made_task(state, firm, project, name=f"T{n}") for n in range(5)]
    done = (await bulk(pm, tasks, status="in_progress")).json()
    async with state.db.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT set_config('app.tenant', $1, true)", str(firm.tenant))
        rows = await conn.fetch("SELECT type, subject_id FROM event WHERE batch_id = $1", UUID(done["id"]))
    assert {row["subject_id"] for row in rows} == set(tasks)
    assert {row["type"] for row in rows} == {"task.moved"}


async def test_a_part_that_is_refused_undoes_the_other_parts(state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project, due_on=None)
    before = await rows_of(pm, project)
    answer = await bulk(pm, [task], status="in_progress", set={"parent_id": str(task)})
    assert (answer.json()["changed"], answer.json()["id"]) == (0, None)
    assert await rows_of(pm, project) == before


@pytest.mark.parametrize("wish", [{"set": {"priority": "low"}}, {"status": "in_progress"}, {"trash": True}], ids=str)
async def test_a_stale_version_is_a_conflict_of_that_task(
    state: State, firm: Firm, project: UUID, pm: As, wish: dict[str, Any]
) -> None:
    task = await made_task(state, firm, project)
    before = await rows_of(pm, project)
    answer = await bulk(pm, [task], versions={str(task): 9}, **wish)
    assert [(one["status"], one["code"]) for one in answer.json()["data"]] == [(409, "CONFLICT")]
    assert await rows_of(pm, project) == before


async def test_a_stale_version_keeps_a_task_in_the_trash(state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project)
    trashed = (await bulk(pm, [task], trash=True)).json()["data"][0]["version"]
    for seen, status in ((trashed + 1, 409), (trashed - 1, 409), (trashed, None)):
        answer = await bulk(pm, [task], versions={str(task): seen}, restore=True)
        assert [one["status"] for one in answer.json()["data"]] == [status]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"ids": [], "status": "done"}, "ids"),
        ({"ids": [str(uuid4()) for _ in range(1001)], "status": "done"}, "ids"),
        ({"ids": [str(uuid4())]}, "ids"),
        ({"ids": [str(uuid4())], "trash": True, "status": "done"}, "trash"),
        ({"ids": [str(uuid4())], "assign": {}}, "assign.assignees"),
        ({"ids": [str(uuid4())], "set": {"status": "done"}}, "set.status"),
    ],
)
async def test_B12_a_wish_that_is_none_is_refused(body: dict[str, Any], path: str, firm: Firm, pm: As) -> None:
    refused = await pm.post(BULK, json=body)
    assert (refused.status_code, refused.json()["details"]["fields"][0]["path"]) == (422, path)


async def test_a_thousand_at_once(state: State, firm: Firm, project: UUID, pm: As) -> None:
    scope = firm.scope("pm")
    async with tenant_work(state.db, scope) as session:
        await insert_tasks(session, scope, project_id=project, tasks=[NewTask(f"T{n}") for n in range(1000)])
        ids = list(await session.scalars(select(Task.id).where(Task.project_id == project)))
    answer = await bulk(pm, ids, set={"priority": "high"})
    assert (answer.status_code, answer.json()["changed"]) == (200, 1000)


def filled_in(value: Any, world: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled_in(one, world) for name, one in value.items()}
    if isinstance(value, list):
        return [filled_in(one, world) for one in value]
    return world.get(value, value) if isinstance(value, str) else value
