"""Making and changing tasks: fields, sub-tasks, progress, people, labels, copies, trash."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_label, made_link, made_project, made_task
from tests.work.test_lifecycle import move, seen, to_status
from zena.kit.state import State

ANY = {"If-Match": "*"}


async def create(who: As, project: UUID, **fields: Any) -> httpx.Response:
    return await who.post(f"/api/v1/app/projects/{project}/tasks", json={"name": "Dig", **fields})


async def change(who: As, task: UUID, **fields: Any) -> httpx.Response:
    plain = {name: str(value) if isinstance(value, UUID) else value for name, value in fields.items()}
    return await who.patch(f"/api/v1/app/tasks/{task}", json=plain, headers=ANY)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "  \u200b "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "nul\x00"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": None}, "name"),
        ({"name": 7}, "name"),
        ({"description": "x" * 20_001}, "description"),
        ({"priority": "top"}, "priority"),
        ({"estimate_min": -1}, "estimate_min"),
        ({"estimate_min": 10**12}, "estimate_min"),
        ({"estimate_min": "60"}, "estimate_min"),
        ({"progress": 101}, "progress"),
        ({"start_on": "2026-02-30"}, "start_on"),
        ({"due_on": "0000-00-00"}, "due_on"),
        ({"due_on": "9999-12-31"}, "due_on"),
        ({"due_on": "infinity"}, "due_on"),
        ({"start_on": "2026-03-02", "due_on": "2026-03-01"}, "due_on"),
        ({"assignees": "me"}, "assignees"),
        ({"number": 5}, "number"),
        ({"status": "done"}, "status"),
        ({"tenant_id": str(uuid4())}, "tenant_id"),
    ],
)
async def test_B04_wrong_unknown_and_read_only_fields_are_named(
    fields: dict[str, Any], path: str, project: UUID, pm: As
) -> None:
    refused = await create(pm, project, **fields)
    assert refused.status_code == 422
    assert refused.json()["details"]["fields"][0]["path"] == path


async def test_names_are_trimmed_and_composed(project: UUID, pm: As) -> None:
    made = (await create(pm, project, name="  Cafe\u0301 <b>\u202e ")).json()
    assert made["name"] == "Caf\u00e9 <b>\u202e"


async def test_the_end_may_not_come_before_the_start_whichever_is_changed(project: UUID, pm: As) -> None:
    task = (await create(pm, project, start_on="2026-03-10", due_on="2026-03-12")).json()["id"]
    assert (await change(pm, task, due_on="2026-03-09")).json()["details"]["fields"][0]["path"] == "due_on"
    assert (await change(pm, task, start_on="2026-03-13")).json()["details"]["fields"][0]["path"] == "start_on"
    assert (await change(pm, task, due_on=None)).status_code == 200
    assert (await change(pm, task, start_on="2026-03-13")).status_code == 200


async def test_B13_fifty_created_at_once_get_fifty_numbers(project: UUID, pm: As) -> None:
    answers = await asyncio.gather(*(create(pm, project, name=f"T{n}") for n in range(50)))
    assert sorted(answer.json()["number"] for answer in answers) == list(range(1, 51))


async def test_B13_of_fifty_changes_to_one_version_one_wins(project: UUID, pm: As) -> None:
    task = (await create(pm, project)).json()["id"]
    url = f"/api/v1/app/tasks/{task}"
    answers = await asyncio.gather(
        *(pm.patch(url, json={"name": f"N{n}"}, headers={"If-Match": '"1"'}) for n in range(50))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 49


async def test_what_keeps_its_value_is_no_change(project: UUID, pm: As) -> None:
    task = (await create(pm, project)).json()
    assert (await change(pm, task["id"], name="Dig")).json()["version"] == 1


@pytest.mark.parametrize("status", ["completed", "archived"])
async def test_a_finished_project_takes_no_tasks_and_no_changes(
    status: str, state: State, firm: Firm, project: UUID, pm: As
) -> None:
    task = await made_task(state, firm, project)
    await move(pm, task, "canceled", "No need")
    await to_status(pm, project, "active", "completed", *(["archived"] if status == "archived" else []))
    for answer in (
        await create(pm, project),
        await change(pm, task, name="New"),
        await pm.post(f"/api/v1/app/tasks/{task}/assign", json={"assignees": []}),
        await pm.post(f"/api/v1/app/tasks/{task}/labels", json={"labels": []}),
        await pm.post(f"/api/v1/app/tasks/{task}/rank", json={}),
        await pm.post(f"/api/v1/app/tasks/{task}/trash"),
        await pm.post(f"/api/v1/app/tasks/{task}/duplicate"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "PROJECT_STATUS_RESTRICTED")


class TestSubTasks:
    async def test_a_parent_shows_the_mean_of_its_parts(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        parent = await made_task(state, firm, project, progress=90)
        parts = [await made_task(state, firm, project, parent_id=parent, progress=p) for p in (10, 25)]
        assert (await seen(pm, parent))["progress"] == 18
        await change(pm, parts[0], progress=50)
        assert (await seen(pm, parent))["progress"] == 38
        await move(pm, parts[0], "canceled", "No need")
        assert (await seen(pm, parent))["progress"] == 25
        await pm.post(f"/api/v1/app/tasks/{parts[1]}/trash")
        assert (await seen(pm, parent))["progress"] == 90
        await pm.post(f"/api/v1/app/tasks/{parts[1]}/restore")
        assert (await seen(pm, parent))["progress"] == 25

    async def test_it_goes_up_all_levels(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        top = await made_task(state, firm, project)
        middle = await made_task(state, firm, project, parent_id=top)
        low = await made_task(state, firm, project, parent_id=middle)
        await move(pm, low, "in_progress")
        await move(pm, low, "done")
        assert [(await seen(pm, task))["progress"] for task in (top, middle)] == [100, 100]

    async def test_the_project_weighs_by_estimate(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        await made_task(state, firm, project, estimate_min=300, progress=50)
        await made_task(state, firm, project, progress=100)
        out = await made_task(state, firm, project, estimate_min=10_000)
        await move(pm, out, "canceled", "No need")
        one = (await pm.get(f"/api/v1/app/projects/{project}")).json()
        assert one["progress"] == round((300 * 50 + 100) / 301, 2)

    async def test_progress_that_follows_cannot_be_set(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        parent = await made_task(state, firm, project)
        child = await made_task(state, firm, project, parent_id=parent)
        assert (await change(pm, parent, progress=5)).json()["details"]["fields"][0]["code"] == "fixed"
        await move(pm, child, "in_progress")
        await move(pm, child, "done")
        assert (await change(pm, child, progress=5)).json()["details"]["fields"][0]["code"] == "fixed"

    async def test_no_circles_and_no_bottomless_nesting(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        line = [await made_task(state, firm, project)]
        for _ in range(7):
            line.append(await made_task(state, firm, project, parent_id=line[-1]))
        assert (await create(pm, project, parent_id=str(line[-1]))).json()["details"]["fields"][0]["code"] == "too_deep"
        assert (await change(pm, line[0], parent_id=line[3])).json()["details"]["fields"][0]["code"] == "cycle"
        assert (await change(pm, line[0], parent_id=line[0])).json()["details"]["fields"][0]["code"] == "cycle"
        other = await made_task(state, firm, project)
        assert (await change(pm, line[0], parent_id=other)).json()["details"]["fields"][0]["code"] == "too_deep"
        assert (await change(pm, line[4], parent_id=other)).status_code == 200
        assert (await seen(pm, line[7]))["depth"] == 4

    async def test_B13_two_that_want_to_be_each_others_part(
        self, state: State, firm: Firm, project: UUID, pm: As
    ) -> None:
        for _ in range(5):
            one, two = [await made_task(state, firm, project) for _ in range(2)]
            answers = await asyncio.gather(change(pm, one, parent_id=two), change(pm, two, parent_id=one))
            assert sorted(answer.status_code for answer in answers) == [200, 422]


class TestPeopleAndLabels:
    async def test_assigning_adds_removes_and_counts(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        task = await made_task(state, firm, project)
        url = f"/api/v1/app/tasks/{task}/assign"
        member, viewer = (str(firm.scope(role).member) for role in ("member", "viewer"))
        assert (await pm.post(url, json={"assignees": [member]})).json()["assignee_ids"] == [member]
        assert (await pm.post(url, json={"add": [viewer, member]})).json()["assignee_ids"] == [member, viewer]
        assert (await pm.post(url, json={"remove": [member]})).json()["assignee_ids"] == [viewer]
        mine = await pm.get(f"/api/v1/app/tasks?assignee={viewer}")
        assert [row["id"] for row in mine.json()["data"]] == [str(task)]

    @pytest.mark.parametrize("body", [{}, {"assignees": [], "add": []}, {"assignees": [], "add": [str(uuid4())]}])
    async def test_B12_an_empty_wish_means_nothing_not_all(
        self, body: dict[str, Any], state: State, firm: Firm, project: UUID, pm: As
    ) -> None:
        task = await made_task(state, firm, project)
        answer = await pm.post(f"/api/v1/app/tasks/{task}/assign", json=body)
        assert answer.status_code == (200 if body == {"assignees": [], "add": []} else 422)

    async def test_at_most_fifty_labels(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        task = await made_task(state, firm, project)
        labels = [str(await made_label(state, firm, f"L{n}")) for n in range(51)]
        url = f"/api/v1/app/tasks/{task}/labels"
        assert (await pm.post(url, json={"labels": labels})).json()["details"]["fields"][0]["code"] == "too_many"
        assert len((await pm.post(url, json={"labels": labels[:50]})).json()["label_ids"]) == 50

    async def test_a_label_that_goes_leaves_its_tasks(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        label = await made_label(state, firm)
        task = await made_task(state, firm, project, labels=[label])
        assert (await pm.post("/api/v1/app/labels", json={"name": "URGENT permits"})).status_code == 422
        assert (await pm.delete(f"/api/v1/app/labels/{label}")).status_code == 204
        assert (await seen(pm, task))["label_ids"] == []


class TestCopiesAndTrash:
    async def test_a_copy_starts_anew_behind_its_original(
        self, state: State, firm: Firm, project: UUID, pm: As
    ) -> None:
        label, member = await made_label(state, firm), firm.scope("member").member
        task = await made_task(state, firm, project, labels=[label], assignees=[member], estimate_min=60, progress=40)
        last = await made_task(state, firm, project, name="Last")
        await move(pm, task, "in_progress")
        copy = (await pm.post(f"/api/v1/app/tasks/{task}/duplicate")).json()
        assert (copy["name"], copy["status"], copy["progress"], copy["estimate_min"]) == (
            "Dig (copy)",
            "backlog",
            0,
            60,
        )
        assert (copy["label_ids"], copy["assignee_ids"]) == ([str(label)], [str(member)])
        rows = (await pm.get(f"/api/v1/app/projects/{project}/tasks")).json()["data"]
        assert [row["id"] for row in rows] == [str(task), copy["id"], str(last)]

    async def test_a_project_is_copied_with_its_plan(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        top = await made_task(state, firm, project, name="Top")
        child = await made_task(state, firm, project, name="Child", parent_id=top, due_on=None)
        await made_link(state, firm, top, await made_task(state, firm, project, name="After"))
        await move(pm, child, "in_progress")
        copy = (await pm.post(f"/api/v1/app/projects/{project}/duplicate", json={})).json()
        assert (copy["key"], copy["status"], copy["tasks"]["backlog"]) == ("HBR2", "planning", 3)
        rows = (await pm.get(f"/api/v1/app/projects/{copy['id']}/tasks")).json()["data"]
        assert [(row["key"], row["name"], row["depth"]) for row in rows] == [
            ("HBR2-1", "Top", 0),
            ("HBR2-2", "Child", 1),
            ("HBR2-3", "After", 0),
        ]
        links = (await pm.get(f"/api/v1/app/tasks/{rows[2]['id']}/dependencies")).json()["data"]
        assert [link["key"] for link in links] == ["HBR2-1"]
        bare = (await pm.post(f"/api/v1/app/projects/{project}/duplicate", json={"tasks": False})).json()
        assert (bare["key"], bare["tasks"]["backlog"]) == ("HBR3", 0)

    async def test_sub_tasks_go_and_come_back_with_their_task(
        self, state: State, firm: Firm, project: UUID, pm: As
    ) -> None:
        top = await made_task(state, firm, project, name="Top")
        gone_before, kept = [await made_task(state, firm, project, parent_id=top) for _ in range(2)]
        await pm.post(f"/api/v1/app/tasks/{gone_before}/trash")
        await pm.post(f"/api/v1/app/tasks/{top}/trash")
        assert (await pm.get(f"/api/v1/app/tasks/{kept}")).status_code == 404
        trash = (await pm.get("/api/v1/app/tasks/trash")).json()["data"]
        assert [row["id"] for row in trash] == [str(top), str(gone_before)]
        await pm.post(f"/api/v1/app/tasks/{top}/restore")
        assert (await pm.get(f"/api/v1/app/tasks/{kept}")).status_code == 200
        assert (await pm.get(f"/api/v1/app/tasks/{gone_before}")).status_code == 404

    async def test_a_part_restored_alone_stands_on_top(self, state: State, firm: Firm, project: UUID, pm: As) -> None:
        top = await made_task(state, firm, project)
        child = await made_task(state, firm, project, parent_id=top)
        grandchild = await made_task(state, firm, project, parent_id=child)
        await pm.post(f"/api/v1/app/tasks/{top}/trash")
        back = (await pm.post(f"/api/v1/app/tasks/{child}/restore")).json()
        assert (back["parent_id"], back["depth"]) == (None, 0)
        assert (await seen(pm, grandchild))["depth"] == 1

    async def test_levels_stay_right_also_for_what_remains_in_the_trash(
        self, state: State, firm: Firm, project: UUID, pm: As
    ) -> None:
        top = await made_task(state, firm, project)
        child = await made_task(state, firm, project, parent_id=top)
        grandchild = await made_task(state, firm, project, parent_id=child)
        for task in (grandchild, top):
            await pm.post(f"/api/v1/app/tasks/{task}/trash")
        await pm.post(f"/api/v1/app/tasks/{child}/restore")
        assert (await pm.post(f"/api/v1/app/tasks/{grandchild}/restore")).json()["depth"] == 1

    async def test_what_was_held_when_thrown_away_goes_on_when_the_hold_is_over(
        self, state: State, firm: Firm, project: UUID, pm: As
    ) -> None:
        task = await made_task(state, firm, project)
        await to_status(pm, project, "active")
        await move(pm, task, "in_progress")
        await to_status(pm, project, "on_hold")
        await pm.post(f"/api/v1/app/tasks/{task}/trash")
        await to_status(pm, project, "active")
        assert (await pm.post(f"/api/v1/app/tasks/{task}/restore")).json()["status"] == "in_progress"

    async def test_purging_takes_everything_along(
        self, state: State, firm: Firm, http: httpx.AsyncClient, pm: As
    ) -> None:
        project = await made_project(state, firm)
        top = await made_task(state, firm, project, assignees=[firm.scope("member").member])
        await made_link(
            state, firm, await made_task(state, firm, project, parent_id=top), await made_task(state, firm, project)
        )
        await pm.delete(f"/api/v1/app/tasks/{top}")
        assert (await firm.client(http, "admin").post(f"/api/v1/app/tasks/{top}/purge")).status_code == 204
        assert (await pm.get("/api/v1/app/tasks/trash")).json()["data"] == []
