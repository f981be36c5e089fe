"""The life of a project: every pair of the table, its conditions, and what it does to the tasks."""

from itertools import product
from uuid import UUID

import httpx
import pytest

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_project, made_task
from zena.kit.state import State
from zena.work.workflow import PROJECT_MOVES, ProjectStatus

WAYS = {
    "planning": [],
    "active": ["active"],
    "on_hold": ["active", "on_hold"],
    "completed": ["completed"],
    "cancelled": ["cancelled"],
    "archived": ["cancelled", "archived"],
}


async def to_status(who: As, project: UUID, *statuses: str, **fields: object) -> httpx.Response:
    answer = httpx.Response(200)
    for status in statuses:
        answer = await who.post(f"/api/v1/app/projects/{project}/status", json={"status": status, **fields})
        if answer.status_code != 200:
            return answer
    return answer


async def move(who: As, task: UUID, status: str, reason: str | None = None) -> httpx.Response:
    return await who.post(f"/api/v1/app/tasks/{task}/move", json={"status": status, "reason": reason})


async def seen(who: As, task: UUID) -> dict[str, object]:
    found: dict[str, object] = (await who.get(f"/api/v1/app/tasks/{task}")).json()
    return found


@pytest.mark.parametrize(("old", "new"), list(product(ProjectStatus, ProjectStatus)))
async def test_each_pair_of_the_table(old: str, new: str, project: UUID, pm: As) -> None:
    assert (await to_status(pm, project, *WAYS[old])).status_code == 200
    answer = await to_status(pm, project, new)
    body = answer.json()
    if new in PROJECT_MOVES[old] or new == old:
        assert (answer.status_code, body["status"]) == (200, new)
        return
    assert (answer.status_code, body["code"]) == (422, "INVALID_STATUS_TRANSITION")
    details = body["details"]
    assert (details["from"], details["to"], details["allowed"]) == (old, new, list(PROJECT_MOVES[old]))


async def test_the_same_status_again_records_nothing(project: UUID, pm: As) -> None:
    await to_status(pm, project, "active")
    before = (await pm.get(f"/api/v1/app/projects/{project}")).json()["version"]
    assert (await to_status(pm, project, "active")).json()["version"] == before


async def test_completing_needs_every_task_finished(state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project)
    await to_status(pm, project, "active")
    refused = await to_status(pm, project, "completed")
    assert (refused.status_code, refused.json()["code"]) == (409, "HAS_UNFINISHED_TASKS")
    assert refused.json()["details"] == {"tasks": 1}
    assert (await to_status(pm, project, "completed", cascade="cancel")).status_code == 200
    assert (await seen(pm, task))["status"] == "canceled"


async def test_planning_cannot_be_completed_past_done_tasks(state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project)
    await move(pm, task, "in_progress")
    await move(pm, task, "done")
    refused = await to_status(pm, project, "completed", cascade="cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "HAS_UNFINISHED_TASKS")


@pytest.mark.parametrize("status", ["in_progress", "done"])
async def test_back_to_planning_only_before_work_began(
    status: str, state: State, firm: Firm, project: UUID, pm: As
) -> None:
    task = await made_task(state, firm, project)
    await to_status(pm, project, "active")
    assert (await to_status(pm, project, "planning", "active")).status_code == 200
    await move(pm, task, "in_progress")
    if status == "done":
        await move(pm, task, "done")
    refused = await to_status(pm, project, "planning")
    assert (refused.status_code, refused.json()["code"]) == (409, "HAS_ACTIVE_TASKS")


async def test_hold_blocks_what_runs_and_unhold_undoes_exactly_that(
    state: State, firm: Firm, project: UUID, pm: As
) -> None:
    running, stuck, waiting = [await made_task(state, firm, project, name=name) for name in ("Run", "Stuck", "Wait")]
    await to_status(pm, project, "active")
    for task in (running, stuck):
        await move(pm, task, "in_progress")
    await move(pm, stuck, "blocked", "No crane")
    await to_status(pm, project, "on_hold")
    held = await seen(pm, running)
    assert (held["status"], held["block_reason"]) == ("blocked", "project on hold")
    assert (await seen(pm, waiting))["status"] == "backlog"
    await to_status(pm, project, "active")
    assert (await seen(pm, running))["status"] == "in_progress"
    assert (await seen(pm, running))["block_reason"] is None
    assert (await seen(pm, stuck))["block_reason"] == "No crane"


async def test_a_task_unblocked_during_the_hold_is_left_alone(state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project)
    await to_status(pm, project, "active")
    await move(pm, task, "in_progress")
    await to_status(pm, project, "on_hold")
    await move(pm, task, "in_progress")
    await move(pm, task, "blocked", "Rain")
    await to_status(pm, project, "active")
    assert (await seen(pm, task))["block_reason"] == "Rain"


async def test_cancelling_cancels_what_is_open_only(state: State, firm: Firm, project: UUID, pm: As) -> None:
    done, dropped, parent = [await made_task(state, firm, project, name=name) for name in ("Done", "Out", "Part")]
    child = await made_task(state, firm, project, parent_id=parent)
    await move(pm, done, "in_progress")
    await move(pm, done, "done")
    await move(pm, dropped, "canceled", "Not needed")
    assert (await to_status(pm, project, "cancelled")).status_code == 200
    assert (await seen(pm, done))["status"] == "done"
    assert (await seen(pm, dropped))["cancel_reason"] == "Not needed"
    assert (await seen(pm, child))["cancel_reason"] == "project cancelled"
    events = await pm.get(f"/api/v1/app/projects/{project}/activity")
    changed = next(e for e in events.json()["data"] if e["type"] == "project.status_changed")
    assert changed["payload"]["cascaded"] == 2


async def test_archived_is_read_only_and_comes_back_for_owner_and_admin(
    firm: Firm, http: httpx.AsyncClient, project: UUID, pm: As
) -> None:
    await to_status(pm, project, "completed", "archived")
    refused = await pm.patch(f"/api/v1/app/projects/{project}", json={"name": "New"}, headers={"If-Match": "*"})
    assert (refused.status_code, refused.json()["code"]) == (422, "PROJECT_STATUS_RESTRICTED")
    assert project_ids(await pm.get("/api/v1/app/projects")) == []
    assert project_ids(await pm.get("/api/v1/app/projects?status=archived")) == [str(project)]
    owner = firm.client(http, "owner")
    wrong = await to_status(owner, project, "cancelled")
    assert (wrong.status_code, wrong.json()["details"]["allowed"]) == (422, ["completed"])
    back = await to_status(owner, project, "completed")
    assert (back.status_code, back.json()["archived_at"]) == (200, None)


async def test_unknown_status_and_stale_version(project: UUID, pm: As) -> None:
    assert (await to_status(pm, project, "paused")).json()["details"]["fields"][0]["path"] == "status"
    stale = await to_status(pm, project, "active", version=7)
    assert (stale.status_code, stale.json()["details"]["current"]["status"]) == (409, "planning")


async def test_only_an_empty_project_goes_into_the_trash(
    state: State, firm: Firm, http: httpx.AsyncClient, pm: As
) -> None:
    project = await made_project(state, firm, name="Short lived")
    task = await made_task(state, firm, project)
    url = f"/api/v1/app/projects/{project}"
    owner = firm.client(http, "owner")
    assert (await pm.post(f"{url}/trash")).json()["code"] == "PROJECT_HAS_TASKS"
    await pm.post(f"/api/v1/app/tasks/{task}/trash")
    assert (await pm.post(f"{url}/trash")).json()["code"] == "PROJECT_HAS_TASKS"
    assert (await pm.post(f"/api/v1/app/tasks/{task}/purge")).status_code == 403
    assert (await owner.post(f"/api/v1/app/tasks/{task}/purge")).status_code == 204
    assert (await pm.delete(url)).status_code == 204
    assert (await pm.get(url)).status_code == 404
    assert project_ids(await pm.get("/api/v1/app/projects/trash")) == [str(project)]
    assert (await pm.post(f"{url}/restore")).status_code == 200
    await pm.post(f"{url}/trash")
    assert (await pm.post(f"{url}/purge")).status_code == 403
    assert (await owner.post(f"{url}/purge")).status_code == 204
    assert (await owner.post(f"{url}/restore")).status_code == 404


def project_ids(answer: httpx.Response) -> list[str]:
    return [row["id"] for row in answer.json()["data"]]
