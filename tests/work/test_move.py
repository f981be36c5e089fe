"""The one workflow function: every pair of the table, and its checks in their order."""

from itertools import product
from uuid import UUID

import httpx
import pytest

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_link, made_task
from tests.work.test_lifecycle import move, seen, to_status
from zena.kit.state import State
from zena.work.workflow import TASK_MOVES, TaskStatus

WAYS = {
    "backlog": [],
    "in_progress": ["in_progress"],
    "blocked": ["in_progress", "blocked"],
    "done": ["in_progress", "done"],
    "canceled": ["canceled"],
}


async def bring(who: As, task: UUID, status: str) -> None:
    for step in WAYS[status]:
        assert (await move(who, task, step, "because")).status_code == 200


@pytest.mark.parametrize(("old", "new"), list(product(TaskStatus, TaskStatus)))
async def test_each_pair_of_the_table(old: str, new: str, state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project)
    await bring(pm, task, old)
    answer = await move(pm, task, new, "because")
    body = answer.json()
    if new in TASK_MOVES[old] or new == old:
        assert (answer.status_code, body["status"]) == (200, new)
        assert (body["closed_at"] is not None) == (new in {"done", "canceled"})
        return
    assert (answer.status_code, body["code"]) == (422, "INVALID_STATUS_TRANSITION")
    assert body["details"] == {"from": old, "to": new, "allowed": [str(status) for status in TASK_MOVES[old]]}


@pytest.mark.parametrize("project_status", ["completed", "cancelled", "archived"])
@pytest.mark.parametrize(("old", "new"), [("done", "in_progress"), ("canceled", "backlog")])
async def test_a_finished_project_lets_no_task_move(
    project_status: str, old: str, new: str, state: State, firm: Firm, project: UUID, pm: As
) -> None:
    task = await made_task(state, firm, project)
    await bring(pm, task, old)
    ways = ["active", "completed", "archived"] if project_status == "archived" else ["active", project_status]
    assert (await to_status(pm, project, *ways)).status_code == 200
    refused = await move(pm, task, new, "because")
    assert (refused.status_code, refused.json()["code"]) == (422, "PROJECT_STATUS_RESTRICTED")


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("backlog", "in_progress", 422),
        ("backlog", "canceled", 200),
        ("done", "in_progress", 422),
        ("canceled", "backlog", 422),
        ("blocked", "in_progress", 200),
        ("blocked", "canceled", 200),
    ],
)
async def test_on_hold_lets_tasks_be_blocked_unblocked_and_canceled(
    old: str, new: str, status: int, state: State, firm: Firm, project: UUID, pm: As
) -> None:
    task = await made_task(state, firm, project)
    await to_status(pm, project, "active")
    await bring(pm, task, old)
    await to_status(pm, project, "on_hold")
    answer = await move(pm, task, new, "because")
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["code"] == "PROJECT_STATUS_RESTRICTED"


async def test_a_start_waits_for_finish_to_start_predecessors(state: State, firm: Firm, project: UUID, pm: As) -> None:
    first, beside, last = [await made_task(state, firm, project, name=name) for name in ("Dig", "Fence", "Pour")]
    await made_link(state, firm, first, last)
    await made_link(state, firm, beside, last, "SS")
    refused = await move(pm, last, "in_progress")
    assert (refused.status_code, refused.json()["code"]) == (422, "DEPENDENCIES_NOT_DONE")
    assert "HBR-1" in refused.json()["detail"]
    assert [row["key"] for row in refused.json()["details"]["tasks"]] == ["HBR-1"]
    await bring(pm, first, "done")
    assert (await move(pm, last, "in_progress")).status_code == 200


async def test_canceling_what_others_wait_for_warns_and_goes_on(
    state: State, firm: Firm, project: UUID, pm: As
) -> None:
    first, last = [await made_task(state, firm, project, name=name) for name in ("Dig", "Pour")]
    await made_link(state, firm, first, last)
    answer = await move(pm, first, "canceled", "No need")
    assert (answer.status_code, answer.json()["warnings"]) == (200, ["HBR-2 waited for this task."])
    assert (await move(pm, last, "canceled", "No need")).json()["warnings"] == []


@pytest.mark.parametrize("reason", [None, "", "   ", "x" * 501, "bad\x00"])
@pytest.mark.parametrize("status", ["blocked", "canceled"])
async def test_blocked_and_canceled_need_a_reason(
    reason: str | None, status: str, state: State, firm: Firm, project: UUID, pm: As
) -> None:
    task = await made_task(state, firm, project)
    await bring(pm, task, "in_progress")
    refused = await move(pm, task, status, reason)
    assert refused.status_code == 422
    assert refused.json()["details"]["fields"][0]["path"] == "reason"


async def test_the_checks_come_in_their_order(state: State, firm: Firm, project: UUID, pm: As) -> None:
    """Each refusal appears only when every one before it is cured: table, gate, dependencies, reason, version."""
    first, task = [await made_task(state, firm, project, name=name) for name in ("Dig", "Pour")]
    await made_link(state, firm, first, task)
    await to_status(pm, project, "active", "on_hold")
    url = f"/api/v1/app/tasks/{task}/move"

    async def code(**body: object) -> str:
        answer = await pm.post(url, json={"version": 99, **body})
        return str(answer.json()["code"])

    assert await code(status="done") == "INVALID_STATUS_TRANSITION"
    assert await code(status="in_progress") == "PROJECT_STATUS_RESTRICTED"
    await to_status(pm, project, "active")
    assert await code(status="in_progress") == "DEPENDENCIES_NOT_DONE"
    assert await code(status="canceled") == "VALIDATION_FAILED"
    assert await code(status="canceled", reason="No need") == "CONFLICT"


async def test_a_stale_version_shows_the_task_as_it_is(state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project)
    stale = await pm.post(f"/api/v1/app/tasks/{task}/move", json={"status": "in_progress", "version": 9})
    assert (stale.status_code, stale.json()["code"]) == (409, "CONFLICT")
    assert stale.json()["details"]["current"] == await seen(pm, task)


async def test_done_closes_reopen_clears_reactivation_starts_anew(
    state: State, firm: Firm, project: UUID, pm: As
) -> None:
    task = await made_task(state, firm, project, progress=40)
    await bring(pm, task, "done")
    done = await seen(pm, task)
    assert (done["progress"], done["closed_by"]) == (100, str(firm.scope("pm").member))
    reopened = (await move(pm, task, "in_progress")).json()
    assert (reopened["progress"], reopened["closed_by"], reopened["closed_at"]) == (40, None, None)
    assert reopened["started_at"] == done["started_at"]
    await move(pm, task, "canceled", "No need")
    again = (await move(pm, task, "backlog")).json()
    assert (again["progress"], again["cancel_reason"], again["started_at"]) == (0, None, None)


async def test_a_move_can_change_status_and_place_at_once(state: State, firm: Firm, project: UUID, pm: As) -> None:
    one, two, three = [await made_task(state, firm, project, name=name) for name in ("A", "B", "C")]
    body = {"status": "in_progress", "after": str(one), "version": 1}
    moved = await pm.post(f"/api/v1/app/tasks/{three}/move", json=body)
    assert (moved.status_code, moved.json()["version"]) == (200, 2)
    rows = (await pm.get(f"/api/v1/app/projects/{project}/tasks")).json()["data"]
    assert [row["id"] for row in rows] == [str(one), str(three), str(two)]


async def test_patch_needs_if_match_and_knows_no_status(state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project)
    url = f"/api/v1/app/tasks/{task}"
    assert (await pm.patch(url, json={"name": "New"})).status_code == 428
    unknown = await pm.patch(url, json={"status": "done"}, headers={"If-Match": '"1"'})
    assert (unknown.status_code, unknown.json()["details"]["fields"][0]["path"]) == (422, "status")
    fine = await pm.patch(url, json={"name": "New"}, headers={"If-Match": '"1"'})
    assert (fine.status_code, fine.headers["etag"]) == (200, '"2"')
    stale: httpx.Response = await pm.patch(url, json={"name": "Old"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["details"]["current"]["name"]) == (412, "New")
