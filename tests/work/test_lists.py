"""Lists: filters, order, pages; each parameter refused by its name; the shapes as they are declared."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_label, made_project, made_task
from tests.work.test_lifecycle import move
from zena.kit.pages import Page
from zena.kit.state import State
from zena.work.queries.shapes import ProjectDetail, ProjectRow, TaskDetail, TaskRow
from zena.work.queries.wanted import SORTS


async def names(who: As, query: str) -> list[str]:
    answer = await who.get(f"/api/v1/app/{query}")
    assert answer.status_code == 200, answer.text
    return [row["name"] for row in answer.json()["data"]]


@pytest.fixture
async def mixed(state: State, firm: Firm, project: UUID, pm: As) -> dict[str, UUID]:
    """Six tasks that differ in everything a list can ask for."""
    label = await made_label(state, firm)
    member = firm.scope("member").member
    made = {
        "Dig": await made_task(state, firm, project, name="Dig", due_on=None, priority="low", labels=[label]),
        "Pour": await made_task(state, firm, project, name="Pour 100%_a", priority="urgent", assignees=[member]),
        "Late": await made_task(state, firm, project, name="Late", due_on=date(2020, 1, 1), by="member"),
        "Soon": await made_task(state, firm, project, name="Soon", due_on=firm.scope().today),
        "Far": await made_task(state, firm, project, name="Far", due_on=date(2100, 1, 1)),
        "Out": await made_task(state, firm, project, name="Out", due_on=date(2020, 1, 2)),
    }
    made["Part"] = await made_task(state, firm, project, name="Part", parent_id=made["Dig"])
    await move(pm, made["Out"], "canceled", "No need")
    return made | {"label": label}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Dig", "Pour 100%_a", "Late", "Soon", "Far", "Out", "Part"]),
        ("sort=-number", ["Part", "Out", "Far", "Soon", "Late", "Pour 100%_a", "Dig"]),
        ("sort=due_on", ["Late", "Out", "Soon", "Far", "Dig", "Pour 100%_a", "Part"]),
        ("sort=-priority&priority=low,urgent", ["Pour 100%_a", "Dig"]),
        ("status=canceled", ["Out"]),
        ("status=canceled,done&closed=false", []),
        ("closed=true", ["Out"]),
        ("due=overdue", ["Late"]),
        ("due=soon", ["Soon"]),
        ("due=none", ["Dig", "Pour 100%_a", "Part"]),
        ("due_from=2020-01-02&due_to=2099-12-31", ["Soon", "Out"]),
        ("assignee=$member", ["Pour 100%_a"]),
        ("assignee=none&priority=low", ["Dig"]),
        ("label=$label", ["Dig"]),
        ("parent=$Dig", ["Part"]),
        ("parent=none&q=a", ["Pour 100%_a", "Late", "Far"]),
        ("created_by=$member", ["Late"]),
        ("created_by=me&status=canceled", ["Out"]),
        ("q=100%25_", ["Pour 100%_a"]),
        ("q=_", ["Pour 100%_a"]),
        ("q=hbr-3", ["Late"]),
        ("q=3", ["Late"]),
    ],
)
async def test_each_filter_and_order(
    query: str, expected: list[str], firm: Firm, project: UUID, pm: As, mixed: dict[str, UUID]
) -> None:
    world = {"member": firm.scope("member").member, **mixed}
    for name, value in world.items():
        query = query.replace(f"${name}", str(value))
    found = await names(pm, f"projects/{project}/tasks?{query}")
    assert found == expected if "sort" in query or not query else sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=1000000000000", "limit"),
        ("limit=ten", "limit"),
        ("sort=name; drop table task", "sort"),
        ("sort=--rank", "sort"),
        ("status=", "status"),
        ("status=open", "status"),
        ("status=backlog,", "status"),
        ("status=backlog&status=done", "status"),
        ("assignee=somebody", "assignee"),
        ("label=x", "label"),
        ("due=tomorrow", "due"),
        ("due_from=2026-02-30", "due_from"),
        ("count=yes", "count"),
        ("cursor=abc", "cursor"),
        ("page=2", "page"),
        ("q=%01", "q"),
        ("closed=1", "closed"),
    ],
)
async def test_B12_each_wrong_parameter_is_named(query: str, path: str, project: UUID, pm: As) -> None:
    refused = await pm.get(f"/api/v1/app/projects/{project}/tasks?{query}")
    assert (refused.status_code, refused.json()["details"]["fields"][0]["path"]) == (422, path)


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
async def test_pages_neither_skip_nor_repeat(sort: str, project: UUID, pm: As, mixed: dict[str, UUID]) -> None:
    base = f"/api/v1/app/projects/{project}/tasks?sort={sort}"
    whole = [row["id"] for row in (await pm.get(base)).json()["data"]]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await pm.get(f"{base}&limit=2&count=1" + (f"&cursor={cursor}" if cursor else ""))).json()
        found += [row["id"] for row in page["data"]]
        assert page["page"]["total"] == 7
        cursor = page["page"]["next"]
    assert found == whole


async def test_a_cursor_is_good_for_its_own_list_only(project: UUID, pm: As, mixed: dict[str, UUID]) -> None:
    base = f"/api/v1/app/projects/{project}/tasks"
    cursor = (await pm.get(f"{base}?limit=2")).json()["page"]["next"]
    for other in (
        f"{base}?sort=number&cursor={cursor}",
        f"{base}?q=a&cursor={cursor}",
        f"/api/v1/app/tasks?cursor={cursor}",
    ):
        assert (await pm.get(other)).status_code == 422


async def test_the_list_of_all_projects_leaves_archived_ones_out(
    state: State, firm: Firm, project: UUID, pm: As
) -> None:
    other = await made_project(state, firm, name="Old quay")
    task = await made_task(state, firm, other, name="Old")
    await made_task(state, firm, project, name="New")
    await move(pm, task, "canceled", "No need")
    for status in ("completed", "archived"):
        await pm.post(f"/api/v1/app/projects/{other}/status", json={"status": status})
    assert await names(pm, "tasks") == ["New"]
    assert await names(pm, "tasks?archived=true") == ["New", "Old"]


async def test_other_firms_rows_are_in_no_list(
    state: State, firm: Firm, stranger: Firm, http: httpx.AsyncClient, project: UUID
) -> None:
    await made_task(state, firm, project, name="Ours")
    who = stranger.client(http, "owner")
    for path in ("projects", "tasks", "labels", "projects/trash", "tasks/trash"):
        assert (await who.get(f"/api/v1/app/{path}")).json()["data"] == []


async def test_projects_by_name_follow_vietnamese_order(state: State, firm: Firm, pm: As) -> None:
    for name in ("Đường 14", "Da Nang", "Cầu 2", "Cầu 10", "Ân", "An"):
        await made_project(state, firm, name=name, parts=False)
    assert await names(pm, "projects?sort=name") == ["An", "Ân", "Cầu 2", "Cầu 10", "Da Nang", "Đường 14"]
    assert await names(pm, "projects?sort=-name&q=cầu&mine=true&count=1") == ["Cầu 10", "Cầu 2"]


async def test_keys_are_suggested_unique_and_checked(firm: Firm, pm: As) -> None:
    async def made(**body: Any) -> httpx.Response:
        return await pm.post("/api/v1/app/projects", json=body)

    assert (await made(name="Cầu Đường 14")).json()["key"] == "CD1"
    assert (await made(name="Cầu Đường 14")).json()["key"] == "CD12"
    assert (await made(name="橋")).json()["key"] == "P2"
    assert (await made(name="Harbour", key="hbr")).json()["key"] == "HBR"
    for key, code in (
        ("HBR", "taken"),
        ("1A", "format"),
        ("A", "format"),
        ("ABCDEFGHIJK", "format"),
        ("A-B", "format"),
    ):
        refused = (await made(name="X", key=key)).json()["details"]["fields"][0]
        assert (refused["path"], refused["code"]) == ("key", code)


async def test_the_json_is_what_the_shapes_declare(state: State, firm: Firm, project: UUID, pm: As) -> None:
    task = await made_task(state, firm, project, assignees=[firm.scope("member").member])
    for path, shape in (
        (f"projects/{project}/tasks", Page[TaskRow]),
        (f"tasks/{task}", TaskDetail),
        ("projects", Page[ProjectRow]),
        (f"projects/{project}", ProjectDetail),
    ):
        body = (await pm.get(f"/api/v1/app/{path}")).content
        read = msgspec.json.decode(body, type=shape)
        told = msgspec.json.decode(body)
        assert sorted(keys(msgspec.to_builtins(read))) == sorted(keys(told))
    assert (await pm.get(f"/api/v1/app/tasks/{task}")).headers["etag"] == '"1"'
    assert (await pm.get(f"/api/v1/app/tasks/{uuid4()}")).json()["code"] == "TASK_NOT_FOUND"


def keys(value: Any) -> set[str]:
    rows = value.get("data", [value])
    return {name for row in rows for name in row}
