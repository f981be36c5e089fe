"""What can be done from a list and from a panel, by form: many tasks at once, sub-tasks, one's own words, labels."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.conformance.crawl import form_headers
from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_label, made_link, made_project, made_task
from zena.accounts.permissions import Role
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.comments import create_comment

APP = "/api/v1/app"
HTMX = {"hx-request": "true"}


async def send(speaker: As, url: str, **fields: Any) -> httpx.Response:
    return await speaker.post(url, data=fields, headers=form_headers(speaker) | HTMX)


def toast(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.headers["hx-trigger"])["zena:toast"]
    return found


async def row(speaker: As, task: UUID) -> dict[str, Any]:
    found: dict[str, Any] = (await speaker.get(f"{APP}/tasks/{task}")).json()
    return found


async def test_ticked_rows_are_changed_together_and_taken_back(pm: As, state: State, firm: Firm, project: UUID) -> None:
    tasks = [await made_task(state, firm, project, name=name) for name in ("Dig", "Pour")]
    label, member = await made_label(state, firm), firm.people[Role.MEMBER].member
    wish = {"priority": "urgent", "due_on": "2027-01-31", "assignee": str(member), "label": str(label)}
    told = toast(await send(pm, "/tasks/bulk", ids=[str(task) for task in tasks], **wish))
    assert told["text"] == "Tasks changed: 2."
    for task in tasks:
        now = await row(pm, task)
        assert (now["priority"], now["due_on"]) == ("urgent", "2027-01-31")
        assert (now["assignee_ids"], now["label_ids"]) == ([str(member)], [str(label)])
    assert toast(await send(pm, told["undo"]["url"]))["text"] == "Tasks changed: 2."
    for task in tasks:
        now = await row(pm, task)
        assert (now["priority"], now["due_on"], now["assignee_ids"], now["label_ids"]) == ("normal", None, [], [])
    assert (await send(pm, told["undo"]["url"])).status_code == 409  # once


async def test_what_is_refused_for_one_is_said_and_leaves_the_others(
    pm: As, state: State, firm: Firm, project: UUID
) -> None:
    first, second = [await made_task(state, firm, project, name=name) for name in ("Dig", "Pour")]
    await pm.post(f"{APP}/tasks/{first}/move", json={"status": "in_progress"})
    told = toast(await send(pm, "/tasks/bulk", ids=[str(first), str(second)], status="done"))
    assert told["text"].startswith("Tasks changed: 1, refused: 1. ")
    assert [(await row(pm, task))["status"] for task in (first, second)] == ["done", "backlog"]
    emptied = toast(await send(pm, "/tasks/bulk", ids=[str(first)], trash="on"))
    assert (await pm.get(f"{APP}/tasks/{first}")).status_code == 404
    toast(await send(pm, emptied["undo"]["url"]))
    assert (await row(pm, first))["status"] == "done"


async def test_nobody_reaches_into_another_firm_or_asks_for_nothing(
    pm: As, state: State, firm: Firm, stranger: Firm, project: UUID
) -> None:
    theirs = await made_task(state, stranger, await made_project(state, stranger))
    nothing = toast(await send(pm, "/tasks/bulk", ids=[str(theirs)], priority="low"))
    assert nothing["text"].startswith("Tasks changed: 0, refused: 1.")
    assert "undo" not in nothing
    mine = await made_task(state, firm, project)
    for fields in ({"ids": [str(mine)]}, {"priority": "low"}, {"ids": ["x"], "priority": "low"}):
        refused = await send(pm, "/tasks/bulk", **fields)
        assert refused.status_code == 422
        assert json.loads(refused.headers["hx-trigger"])["zena:toast"]["tone"] == "bad"


async def test_without_scripts_the_message_waits_on_the_next_page(
    pm: As, state: State, firm: Firm, project: UUID
) -> None:
    task = await made_task(state, firm, project)
    fields = {"ids": str(task), "priority": "low", "back": "//elsewhere.example"}
    answer = await pm.post("/tasks/bulk", data=fields, headers=form_headers(pm))
    assert (answer.status_code, answer.headers["location"]) == (303, "/tasks")
    assert "zena_flash" in answer.headers["set-cookie"]


async def test_a_panel_shows_and_takes_sub_tasks(pm: As, state: State, firm: Firm, project: UUID) -> None:
    top = await made_task(state, firm, project, name="Raise the frame")
    panel = await send(pm, f"/tasks/{top}/subtasks", name="Bolt the columns")
    assert panel.status_code == 200
    assert "Bolt the columns" in panel.text
    found = (await pm.get(f"{APP}/tasks?parent={top}")).json()["data"]
    assert [one["name"] for one in found] == ["Bolt the columns"]
    below = await pm.get(f"/tasks/{found[0]['key']}", headers=HTMX)
    assert "Raise the frame" in below.text
    refused = await send(pm, f"/tasks/{top}/subtasks", name=" ")
    assert refused.status_code == 422
    assert (await pm.get(f"{APP}/tasks?parent={top}")).json()["data"] == found


async def test_a_panel_says_what_no_field_of_it_can(pm: As, state: State, firm: Firm, project: UUID) -> None:
    """A move, a day against another day, an older version: each is refused with a sentence, said once."""
    first, second = [await made_task(state, firm, project, name=name) for name in ("Dig", "Pour")]
    await made_link(state, firm, first, second)
    await pm.post(f"/tasks/{second}/fields", data={"due_on": "2026-03-01"}, headers=form_headers(pm))
    key = (await row(pm, first))["key"]
    for form, fields, sentence in (
        ("status", {"status": "in_progress"}, f"This waits for {key}."),
        ("fields", {"start_on": "2026-04-01"}, "The end, 2026-03-01, is before the start, 2026-04-01."),
        ("fields", {"name": "Cast", "version": "1"}, "Somebody changed this meanwhile"),
        ("fields", {"name": " "}, "This must not be empty."),
    ):
        refused = await send(pm, f"/tasks/{second}/{form}", **fields)
        assert (refused.status_code, refused.text.count(sentence)) == (422, 1), f"{fields}: {refused.text}"


async def test_a_client_sees_no_internal_relatives(
    state: State, firm: Firm, http: httpx.AsyncClient, project: UUID
) -> None:
    top = await made_task(state, firm, project, name="Shown")
    await made_task(state, firm, project, name="Kept among ourselves", parent_id=top, internal=True)
    key = (await row(firm.client(http, "pm"), top))["key"]
    assert "Kept among ourselves" in (await firm.client(http, "pm").get(f"/tasks/{key}")).text
    seen = await firm.client(http, "client").get(f"/tasks/{key}")
    assert seen.status_code == 200
    assert "Kept among ourselves" not in seen.text


async def test_authors_change_their_words_in_the_panel(
    pm: As, state: State, firm: Firm, http: httpx.AsyncClient, project: UUID
) -> None:
    task, other = [await made_task(state, firm, project, name=name) for name in ("Dig", "Pour")]
    async with tenant_work(state.db, firm.scope("pm")) as session:
        said = await create_comment(session, firm.scope("pm"), task_id=task, body="At **nine**.")
    url = f"/tasks/{task}/comments/{said.id}"
    changed = await send(pm, url, body="At **ten**.", version="1")
    assert "<strong>ten</strong>" in changed.text
    assert "edited" in changed.text
    stale = await send(pm, url, body="At eleven.", version="1")
    assert stale.status_code == 422
    assert "At eleven." in stale.text  # what was typed is kept
    assert (await send(firm.client(http, "owner"), url, body="No.")).status_code == 403
    assert (await send(pm, f"/tasks/{other}/comments/{said.id}", body="No.")).status_code == 404


BESIDE, ABOVE = 'class="error"', 'class="notice bad" role="alert"'


@pytest.mark.parametrize(
    ("name", "hue", "where"),
    [
        ("", "0", BESIDE),
        ("x" * 51, "0", BESIDE),
        ("CONCRETE", "1", BESIDE),
        ("Steel", "12", ABOVE),
        ("Steel", "red", ABOVE),
    ],
)
async def test_a_label_that_cannot_be_is_refused_with_what_was_typed(
    pm: As, state: State, firm: Firm, name: str, hue: str, where: str
) -> None:
    await made_label(state, firm, "Concrete")
    answer = await send(pm, "/labels", name=name, hue=hue)
    assert answer.status_code == 422
    assert where in answer.text
    assert f'value="{name}"' in answer.text
    assert len((await pm.get(f"{APP}/labels")).json()["data"]) == 1


async def test_a_label_is_renamed_and_taken_away(
    pm: As, state: State, firm: Firm, stranger: Firm, project: UUID
) -> None:
    label, theirs = await made_label(state, firm, "Steel"), await made_label(state, stranger, "Theirs")
    task = await made_task(state, firm, project, labels=[label])
    await send(pm, f"/labels/{label}", name="Steelwork", hue="5", version="1")
    page = (await pm.get("/labels")).text
    assert "Steelwork" in page
    assert "Theirs" not in page
    assert (await send(pm, f"/labels/{theirs}", name="Ours", hue="1")).status_code == 404
    await send(pm, f"/labels/{label}/removal")
    assert (await row(pm, task))["label_ids"] == []


async def test_the_record_names_what_was_changed(
    state: State, firm: Firm, stranger: Firm, http: httpx.AsyncClient, project: UUID
) -> None:
    task = await made_task(state, firm, project)
    theirs = await made_task(state, stranger, await made_project(state, stranger, key="THEIRS"))
    owner = firm.client(http)
    key = (await row(owner, task))["key"]
    entries = (await owner.get(f"{APP}/audit?action=task.created")).json()["data"]
    assert [(one["subject_id"], one["subject_name"]) for one in entries] == [(str(task), key)]
    page = (await owner.get("/audit")).text
    assert f"<bdi>{key}</bdi>" in page
    assert str(theirs) not in page
    assert "THEIRS" not in page
