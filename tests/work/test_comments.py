"""Talk about a task: whose words they are, who sees them, what they may hold, and what is told of them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_project, made_task
from tests.work.pages import Pages
from tests.work.test_lifecycle import to_status
from zena.kit.state import State
from zena.kit.uow import tenant_work

ANY = {"If-Match": "*"}
Say = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def task(state: State, firm: Firm, project: UUID) -> UUID:
    return await made_task(state, firm, project, name="Pour")


@pytest.fixture
def say(firm: Firm, http: httpx.AsyncClient, task: UUID) -> Say:
    async def said(body: str = "Ready", by: str = "pm", **fields: Any) -> dict[str, Any]:
        answer = await firm.client(http, by).post(talk(task), json={"body": body, **fields})
        assert answer.status_code == 201, answer.text
        assert answer.headers["etag"] == '"1"'
        made: dict[str, Any] = answer.json()
        return made

    return said


def talk(task: UUID) -> str:
    return f"/api/v1/app/tasks/{task}/comments"


def one(comment: dict[str, Any]) -> str:
    return f"/api/v1/app/comments/{comment['id']}"


async def told(state: State, firm: Firm, task: UUID, kind: str = "comment") -> list[Any]:
    scope = firm.scope()
    async with tenant_work(state.db, scope) as session:
        rows = await session.execute(
            text(
                "SELECT type, payload FROM event WHERE tenant_id = :t AND subject_id = :s AND subject_type = :k"
                " ORDER BY position"
            ),
            {"t": firm.tenant, "s": task, "k": kind},
        )
        return list(rows)


async def test_what_is_said_is_read_in_its_order(say: Say, pm: As, task: UUID, firm: Firm) -> None:
    for body in ("First", "Second", "Third"):
        await say(body)
    found = (await pm.get(talk(task))).json()["data"]
    assert [row["body"] for row in found] == ["First", "Second", "Third"]
    assert found[0]["author_id"] == str(firm.scope("pm").member)
    assert (found[0]["edited_at"], found[0]["pinned"], found[0]["internal"], found[0]["version"]) == (
        None,
        False,
        False,
        1,
    )


async def test_comments_and_activity_come_in_pages_without_gap(say: Say, pm: As, task: UUID) -> None:
    for number in range(5):
        await say(str(number))
        await pm.patch(f"/api/v1/app/tasks/{task}", json={"name": f"Pour {number}"}, headers=ANY)
    for path, part in ((talk(task), "body"), (f"/api/v1/app/tasks/{task}/activity", "type")):
        whole = (await pm.get(path)).json()
        found: list[str] = []
        cursor, more = "", True
        while more:
            page = (await pm.get(f"{path}?limit=2{cursor and f'&cursor={cursor}'}")).json()
            found += [row[part] for row in page["data"]]
            cursor, more = page["page"]["next"] or "", page["page"]["next"] is not None
        assert found == [row[part] for row in whole["data"]]
        assert whole["page"] == {"next": None, "limit": 50}
    assert found == ["task.updated"] * 5 + ["task.created"]


async def test_a_cursor_is_good_for_its_own_talk_only(say: Say, state: State, firm: Firm, pm: As, task: UUID) -> None:
    for body in ("One", "Two"):
        await say(body)
    other = await made_task(state, firm, await made_project(state, firm, name="Other"))
    cursor = (await pm.get(f"{talk(task)}?limit=1")).json()["page"]["next"]
    assert (await pm.get(f"{talk(other)}?cursor={cursor}")).status_code == 422
    assert (await pm.get(f"{talk(task)}?order=up")).status_code == 422


async def test_only_the_author_changes_a_comment(say: Say, firm: Firm, http: httpx.AsyncClient) -> None:
    comment = await say("Redy", by="member")
    for role, status in (("owner", 403), ("admin", 403), ("pm", 403), ("viewer", 403), ("client", 403)):
        answer = await firm.client(http, role).patch(one(comment), json={"body": "Mine"}, headers=ANY)
        assert answer.status_code == status, role
    changed = await firm.client(http, "member").patch(one(comment), json={"body": "Ready"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    body = changed.json()
    assert (body["body"], body["version"]) == ("Ready", 2)
    assert body["edited_at"] is not None
    assert body["created_at"] == comment["created_at"]


async def test_the_same_words_again_are_no_change(say: Say, pm: As, state: State, firm: Firm, task: UUID) -> None:
    comment = await say("Ready")
    again = await pm.patch(one(comment), json={"body": "Ready"}, headers=ANY)
    assert (again.json()["version"], again.json()["edited_at"]) == (1, None)
    assert [row.type for row in await told(state, firm, task)] == ["comment.created"]


async def test_versions_keep_two_editors_apart(say: Say, pm: As) -> None:
    comment = await say()
    assert (await pm.patch(one(comment), json={"body": "A"})).status_code == 428
    assert (await pm.patch(one(comment), json={"body": "A"}, headers={"If-Match": '"1"'})).status_code == 200
    stale = await pm.patch(one(comment), json={"body": "B"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["details"]["current"]["body"]) == (412, "A")


@pytest.mark.parametrize(
    ("author", "by", "status"),
    [
        ("member", "member", 204),
        ("member", "owner", 204),
        ("member", "admin", 204),
        ("member", "pm", 403),
        ("pm", "member", 403),
        ("client", "client", 204),
        ("pm", "client", 403),
        ("pm", "viewer", 403),
    ],
)
async def test_who_takes_words_back(
    author: str, by: str, status: int, say: Say, firm: Firm, http: httpx.AsyncClient, task: UUID, state: State
) -> None:
    comment = await say(by=author)
    assert (await firm.client(http, by).delete(one(comment))).status_code == status
    left = (await firm.client(http, "pm").get(talk(task))).json()["data"]
    assert len(left) == (0 if status == 204 else 1)
    if status == 204:
        assert (await firm.client(http, author).patch(one(comment), json={"body": "x"}, headers=ANY)).status_code == 404
        async with tenant_work(state.db, firm.scope()) as session:
            gone = await session.scalar(
                text("SELECT deleted_by FROM comment WHERE tenant_id = :t AND id = :id"),
                {"t": firm.tenant, "id": UUID(comment["id"])},
            )
        assert gone == firm.scope(by).member


async def test_clients_never_meet_internal_words(
    say: Say, firm: Firm, http: httpx.AsyncClient, task: UUID, state: State
) -> None:
    hidden = await say("Margin is thin", internal=True)
    await say("Welcome")
    client = firm.client(http, "client")
    assert [row["body"] for row in (await client.get(talk(task))).json()["data"]] == ["Welcome"]
    for method, path, body in (
        ("PATCH", one(hidden), {"body": "x"}),
        ("DELETE", one(hidden), None),
        ("PUT", f"{one(hidden)}/pin", {"pinned": True}),
    ):
        answer = await client.send(method, path, json=body, headers=ANY)
        assert answer.status_code in {403, 404}, (method, answer.status_code)
        assert "Margin" not in answer.text
    page = await Pages(firm, http, "client").open(f"/tasks/{await key_of(firm, http, task)}")
    assert "Welcome" in page.text
    assert "Margin" not in page.text
    assert [row.payload["internal"] for row in await told(state, firm, task)] == [True, False]


async def key_of(firm: Firm, http: httpx.AsyncClient, task: UUID) -> str:
    return str((await firm.client(http, "owner").get(f"/api/v1/app/tasks/{task}")).json()["key"])


async def test_the_words_of_a_client_are_never_internal(say: Say, firm: Firm, http: httpx.AsyncClient) -> None:
    assert (await say(by="client", internal=True))["internal"] is False


async def test_what_is_said_about_an_internal_task_is_internal_news(
    state: State, firm: Firm, project: UUID, pm: As, http: httpx.AsyncClient
) -> None:
    task = await made_task(state, firm, project, internal=True)
    assert (await pm.post(talk(task), json={"body": "Between us"})).status_code == 201
    assert (await told(state, firm, task))[0].payload["internal"] is True
    assert (await firm.client(http, "client").get(talk(task))).status_code == 404
    assert (await firm.client(http, "client").post(talk(task), json={"body": "Hm"})).status_code == 404


async def test_pinned_words_stand_first_on_the_page(
    say: Say, pm: As, firm: Firm, http: httpx.AsyncClient, task: UUID, state: State
) -> None:
    await say("First")
    rule = await say("Helmets on")
    pinned = await pm.put(f"{one(rule)}/pin", json={"pinned": True}, headers=ANY)
    assert (pinned.json()["pinned"], pinned.json()["version"], pinned.json()["edited_at"]) == (True, 2, None)
    again = await pm.put(f"{one(rule)}/pin", json={"pinned": True}, headers=ANY)
    assert again.json()["version"] == 2
    page = (await Pages(firm, http).open(f"/tasks/{await key_of(firm, http, task)}")).text
    assert page.index("Helmets on") < page.index("First")
    assert [row["body"] for row in (await pm.get(talk(task))).json()["data"]] == ["First", "Helmets on"]
    for role in ("viewer", "client"):
        refused = await firm.client(http, role).put(f"{one(rule)}/pin", json={"pinned": False}, headers=ANY)
        assert refused.status_code == 403
    assert [row.type for row in await told(state, firm, task)][-1] == "comment.pinned"


async def test_a_pinned_comment_is_not_lost_behind_a_hundred_later_ones(
    say: Say, pm: As, firm: Firm, http: httpx.AsyncClient, task: UUID, state: State
) -> None:
    rule = await say("Helmets on")
    await pm.put(f"{one(rule)}/pin", json={"pinned": True}, headers=ANY)
    async with tenant_work(state.db, firm.scope()) as session:
        await session.execute(
            text(
                "INSERT INTO comment (tenant_id, id, task_id, author_id, body, created_at)"
                " SELECT :t, gen_random_uuid(), :task, :who, 'Word ' || n, now() + n * interval '1 second'"
                " FROM generate_series(1, 120) n"
            ),
            {"t": firm.tenant, "task": task, "who": firm.scope("pm").member},
        )
    page = (await Pages(firm, http).open(f"/tasks/{await key_of(firm, http, task)}")).text
    assert "Helmets on" in page
    assert "Word 120<" in page
    assert "Word 1<" not in page


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "blank"),
        ("  \n\t", "blank"),
        ("\u200b", "blank"),
        ("a\x00b", "characters"),
        ("a\x1b[31m", "characters"),
        ("x" * 20_001, "too_long"),
    ],
)
async def test_words_that_are_none_are_refused(body: str, code: str, say: Say, pm: As, task: UUID) -> None:
    refused = await pm.post(talk(task), json={"body": body})
    assert refused.status_code == 422
    assert refused.json()["details"]["fields"][0] | {"message": ""} == {"path": "body", "code": code, "message": ""}
    made = await say()
    assert (await pm.patch(one(made), json={"body": body}, headers=ANY)).status_code == 422


async def test_twenty_thousand_characters_are_taken(say: Say) -> None:
    assert len((await say("đ" * 20_000))["body"]) == 20_000


@pytest.mark.parametrize(
    "body", [{}, {"body": 7}, {"body": "x", "author_id": str(uuid4())}, {"body": "x", "pinned": True}]
)
async def test_B04_other_fields_are_refused(body: dict[str, Any], pm: As, task: UUID) -> None:
    assert (await pm.post(talk(task), json=body)).status_code in {400, 422}
    assert (await pm.get(talk(task))).json()["data"] == []


async def test_D02_markdown_is_shown_and_nothing_in_it_acts(
    say: Say, firm: Firm, http: httpx.AsyncClient, task: UUID
) -> None:
    await say("**strong** [x](javascript:alert(1)) <img src=x onerror=alert(2)> <script>alert(3)</script>")
    await say("![p](https://evil.test/p.png) [out](//evil.test/a) <b onclick=a()>b</b>")
    page = (await Pages(firm, http).open(f"/tasks/{await key_of(firm, http, task)}")).text
    assert "<strong>strong</strong>" in page
    said = page[page.index('class="talk"') :]
    for word in ("<script>alert", "<img src=x", 'href="javascript', 'src="https://evil', 'href="//evil', "<b onclick"):
        assert word not in said


async def test_mentions_reach_members_of_the_firm_only(
    say: Say, firm: Firm, stranger: Firm, state: State, task: UUID
) -> None:
    member, other = firm.people[next(r for r in firm.people if r == "member")], next(iter(stranger.people.values()))
    await say(f"@{member.email.upper()} and @{other.email}, mail x@{member.email}: look")
    (row,) = await told(state, firm, task)
    assert row.payload["mentions"] == [str(member.member)]


async def test_B01_another_firms_comment_is_as_if_it_were_not_there(
    say: Say, stranger: Firm, http: httpx.AsyncClient
) -> None:
    comment, who = await say(), stranger.client(http, "owner")
    for id_ in (comment["id"], uuid4()):
        tries = (("PATCH", "", {"body": "x"}), ("DELETE", "", None), ("PUT", "/pin", {"pinned": True}))
        for method, path, body in tries:
            answer = await who.send(method, f"/api/v1/app/comments/{id_}{path}", json=body, headers=ANY)
            assert (answer.status_code, answer.json()["code"]) == (404, "COMMENT_NOT_FOUND")


async def test_nothing_is_said_about_what_is_in_the_trash(say: Say, pm: As, task: UUID) -> None:
    comment = await say()
    await pm.post(f"/api/v1/app/tasks/{task}/trash")
    assert (await pm.get(talk(task))).status_code == 404
    assert (await pm.post(talk(task), json={"body": "Late"})).status_code == 404
    assert (await pm.patch(one(comment), json={"body": "Late"}, headers=ANY)).status_code == 404
    await pm.post(f"/api/v1/app/tasks/{task}/restore")
    assert len((await pm.get(talk(task))).json()["data"]) == 1


async def test_an_archived_project_is_read_only_for_talk_too(say: Say, pm: As, task: UUID, project: UUID) -> None:
    comment = await say()
    await to_status(pm, project, "completed", cascade="cancel")
    assert (await pm.post(talk(task), json={"body": "Lessons learned"})).status_code == 201
    await to_status(pm, project, "archived")
    assert len((await pm.get(talk(task))).json()["data"]) == 2
    for method, path, body in (
        ("POST", talk(task), {"body": "Late"}),
        ("PATCH", one(comment), {"body": "Late"}),
        ("PUT", f"{one(comment)}/pin", {"pinned": True}),
        ("DELETE", one(comment), None),
    ):
        refused = await pm.send(method, path, json=body, headers=ANY)
        assert (refused.status_code, refused.json()["code"]) == (422, "PROJECT_STATUS_RESTRICTED")
