"""The part in a project narrows what the role in the firm allows; clients see what is shared with them, and no more."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_label, made_link, made_project, made_task
from zena.accounts.permissions import Role
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.members import set_project_member

ANY = {"If-Match": "*"}


async def take_part(state: State, firm: Firm, project: UUID, role: str, part: str | None) -> None:
    scope = firm.scope("owner")
    async with tenant_work(state.db, scope) as session:
        member = firm.people[Role(role)].member
        await set_project_member(session, scope, project_id=project, member_id=member, role=part)


async def write(who: As, task: UUID) -> int:
    return (await who.patch(f"/api/v1/app/tasks/{task}", json={"spent_min": 5}, headers=ANY)).status_code


@pytest.mark.parametrize(
    ("role", "part", "status"),
    [
        ("member", None, 403),
        ("member", "viewer", 403),
        ("member", "contributor", 200),
        ("member", "manager", 200),
        ("pm", None, 200),
        ("pm", "viewer", 403),
        ("pm", "contributor", 200),
        ("admin", None, 200),
        ("admin", "viewer", 200),
        ("viewer", "manager", 403),
        ("client", "contributor", 403),
    ],
)
async def test_the_part_narrows_the_role(
    role: str, part: str | None, status: int, state: State, firm: Firm, http: httpx.AsyncClient
) -> None:
    project = await made_project(state, firm, by="owner", parts=False)
    task = await made_task(state, firm, project, by="owner")
    await take_part(state, firm, project, role, part)
    assert await write(firm.client(http, role), task) == status


async def test_B01_nobody_of_the_firm_has_no_part_to_lose(
    state: State, firm: Firm, stranger: Firm, http: httpx.AsyncClient
) -> None:
    """A member without a part loses none; who is no member reads like an id that does not exist, whichever way."""
    project, pm = await made_project(state, firm, parts=False), firm.client(http, "pm")
    members = f"/api/v1/app/projects/{project}/members"
    assert (await pm.delete(f"{members}/{firm.people[Role.VIEWER].member}")).status_code == 204
    for nobody in (uuid4(), stranger.people[Role.VIEWER].member):
        answers = [
            await pm.delete(f"{members}/{nobody}"),
            await pm.post(members, json={"member_id": str(nobody), "role": "viewer"}),
        ]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "MEMBER_NOT_FOUND")] * 2


async def test_staff_see_every_project_clients_theirs(state: State, firm: Firm, http: httpx.AsyncClient) -> None:
    shared = await made_project(state, firm, name="Shared")
    other = await made_project(state, firm, name="Not shared", parts=False)
    client, viewer = firm.client(http, "client"), firm.client(http, "viewer")
    seen = [row["id"] for row in (await client.get("/api/v1/app/projects")).json()["data"]]
    assert seen == [str(shared)]
    assert len((await viewer.get("/api/v1/app/projects")).json()["data"]) == 2
    for path in (f"projects/{other}", f"projects/{other}/tasks"):
        assert (await client.get(f"/api/v1/app/{path}")).status_code == 404
        assert (await viewer.get(f"/api/v1/app/{path}")).status_code == 200


async def test_clients_see_nothing_internal(state: State, firm: Firm, http: httpx.AsyncClient) -> None:
    project = await made_project(state, firm, budget_planned=5_000)
    shown = await made_task(state, firm, project, name="Shown")
    hidden = await made_task(state, firm, project, name="Hidden", internal=True)
    await made_link(state, firm, hidden, shown)
    client = firm.client(http, "client")
    for path in (f"projects/{project}/tasks", "tasks", f"projects/{project}/tasks?q=hid&count=1"):
        answer = await client.get(f"/api/v1/app/{path}")
        assert "Hidden" not in answer.text
        assert str(hidden) not in answer.text
    assert (await client.get(f"/api/v1/app/projects/{project}/tasks?count=1")).json()["page"]["total"] == 1
    assert (await client.get(f"/api/v1/app/tasks/{hidden}")).status_code == 404
    assert (await client.get(f"/api/v1/app/tasks/{shown}/dependencies")).json()["data"] == []
    one = (await client.get(f"/api/v1/app/projects/{project}")).json()
    assert (one["budget_planned"], one["tasks"], one["progress"]) == (None, None, None)


async def test_money_needs_its_own_permission(state: State, firm: Firm, http: httpx.AsyncClient) -> None:
    project = await made_project(state, firm, by="owner", budget_planned=5_000)
    assert (await firm.client(http, "pm").get(f"/api/v1/app/projects/{project}")).json()["budget_planned"] == 5_000
    assert (await firm.client(http, "viewer").get(f"/api/v1/app/projects/{project}")).json()["budget_planned"] is None
    scope = firm.scope("pm", permissions=firm.scope("pm").permissions - {"cost.edit"})
    assert not scope.may("cost.edit")


@pytest.mark.parametrize(
    ("role", "part", "maker", "status"),
    [
        ("pm", None, "owner", 403),
        ("pm", "manager", "owner", 200),
        ("pm", None, "pm", 200),
        ("member", "contributor", "owner", 403),
        ("member", "contributor", "member", 200),
        ("admin", None, "owner", 200),
    ],
)
async def test_who_throws_a_task_away(
    role: str, part: str | None, maker: str, status: int, state: State, firm: Firm, http: httpx.AsyncClient
) -> None:
    project = await made_project(state, firm, by="owner", parts=False)
    await take_part(state, firm, project, role, part)
    task = await made_task(state, firm, project, by=maker)
    url = f"/api/v1/app/tasks/{task}"
    who = firm.client(http, role)
    assert (await who.post(f"{url}/trash")).status_code == status
    if status == 200:
        assert (await who.post(f"{url}/restore")).status_code == 200


async def test_a_member_does_not_throw_away_the_sub_tasks_of_others(
    state: State, firm: Firm, http: httpx.AsyncClient, project: UUID
) -> None:
    mine = await made_task(state, firm, project, by="member")
    await made_task(state, firm, project, by="pm", parent_id=mine)
    assert (await firm.client(http, "member").post(f"/api/v1/app/tasks/{mine}/trash")).status_code == 403


async def test_B01_another_firms_ids_are_as_if_they_were_not_there(
    state: State, firm: Firm, stranger: Firm, http: httpx.AsyncClient, project: UUID
) -> None:
    task = await made_task(state, firm, project)
    label = await made_label(state, firm)
    who = stranger.client(http, "owner")
    for method, path, body in (
        ("GET", "projects/{}", None),
        ("PATCH", "projects/{}", {"name": "Mine"}),
        ("POST", "projects/{}/status", {"status": "active"}),
        ("GET", "tasks/{}", None),
        ("PATCH", "tasks/{}", {"name": "Mine"}),
        ("POST", "tasks/{}/move", {"status": "in_progress"}),
        ("POST", "tasks/{}/trash", None),
        ("PATCH", "labels/{}", {"name": "Mine"}),
        ("DELETE", "labels/{}", None),
    ):
        real = {"projects": project, "tasks": task, "labels": label}[path.split("/", 1)[0]]
        answers = []
        for one in (real, uuid4()):
            sent: dict[str, Any] = {"headers": ANY} | ({"json": body} if body else {})
            answer = await who.send(method, f"/api/v1/app/{path.format(one)}", **sent)
            answers.append((answer.status_code, answer.json()["code"], answer.json()["detail"]))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404


async def test_B03_ids_in_bodies_are_checked_like_those_in_paths(
    state: State, firm: Firm, stranger: Firm, project: UUID, pm: As
) -> None:
    task = await made_task(state, firm, project)
    other = await made_task(state, firm, await made_project(state, firm, name="Quay"))
    foreign = await made_project(state, stranger)
    foreign_task = await made_task(state, stranger, foreign)
    foreign_label = await made_label(state, stranger)
    outsider = stranger.people[Role.PM].member
    before = (await pm.get(f"/api/v1/app/tasks/{task}")).json()
    url = f"/api/v1/app/tasks/{task}"
    for method, path, body in (
        ("PATCH", url, {"parent_id": foreign_task}),
        ("PATCH", url, {"parent_id": other}),
        ("POST", f"{url}/assign", {"assignees": [outsider]}),
        ("POST", f"{url}/labels", {"add": [foreign_label]}),
        ("POST", f"{url}/move", {"after": foreign_task}),
        ("POST", f"{url}/rank", {"before": other}),
        ("POST", f"{url}/dependencies", {"predecessor_id": foreign_task}),
        ("POST", "/api/v1/app/tasks", {"project_id": foreign, "name": "In"}),
        ("POST", f"/api/v1/app/projects/{project}/tasks", {"name": "In", "assignees": [outsider]}),
        ("POST", f"/api/v1/app/projects/{project}/tasks", {"name": "In", "labels": [foreign_label]}),
        ("PATCH", f"/api/v1/app/projects/{project}", {"owner_id": outsider}),
        ("POST", f"/api/v1/app/projects/{project}/members", {"member_id": outsider, "role": "viewer"}),
    ):
        plain = {
            name: [str(v) for v in value] if isinstance(value, list) else str(value) for name, value in body.items()
        }
        answer = await pm.send(method, path, json=plain, headers=ANY)
        assert answer.status_code == 404, (method, path, body, answer.text)
    assert (await pm.get(url)).json() == before


async def test_A07_the_database_refuses_rows_that_point_into_another_firm(
    state: State, firm: Firm, stranger: Firm, project: UUID
) -> None:
    scope = stranger.scope("owner")
    for target in (project, new_id()):
        async with state.db.sessions() as session:
            await session.execute(text("SELECT set_config('app.tenant', :t, true)"), {"t": str(scope.tenant)})
            with pytest.raises(IntegrityError, match="fk_task_tenant_id_project_id"):
                await session.execute(
                    text(
                        "INSERT INTO task (tenant_id, id, project_id, number, name, rank)"
                        " VALUES (:t, :id, :project, 1, 'x', 'V')"
                    ),
                    {"t": scope.tenant, "id": new_id(), "project": target},
                )


async def test_B06_a_refused_call_writes_nothing(
    state: State, firm: Firm, http: httpx.AsyncClient, project: UUID
) -> None:
    task = await made_task(state, firm, project)
    viewer = firm.client(http, "viewer")

    async def head() -> int:
        async with state.db.pool.acquire() as conn, conn.transaction():
            await conn.execute("SELECT set_config('app.tenant', $1, true)", str(firm.tenant))
            return int(await conn.fetchval("SELECT position FROM tenant_head"))

    before = await head()
    await viewer.post(f"/api/v1/app/projects/{project}/tasks", json={"name": "In"})
    await viewer.post(f"/api/v1/app/tasks/{task}/move", json={"status": "in_progress"})
    assert await head() == before
