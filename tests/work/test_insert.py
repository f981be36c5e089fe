"""Many tasks in one go come out as if each had been made alone."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from graphlib import CycleError
from uuid import UUID

import pytest

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_label, made_task
from tests.work.test_lifecycle import to_status
from zena.kit.errors import Forbidden, Invalid, NotFound, Problem
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.insert import insert_tasks
from zena.work.actions.planned import NewLink, NewTask
from zena.work.progress import MAX_DEPTH


async def put(
    state: State, firm: Firm, project: UUID, tasks: Sequence[NewTask], links: Sequence[NewLink] = (), role: str = "pm"
) -> range:
    scope = firm.scope(role)
    async with tenant_work(state.db, scope) as session:
        return await insert_tasks(session, scope, project_id=project, tasks=tasks, links=links)


async def test_numbers_ranks_levels_progress_and_links(state: State, firm: Firm, project: UUID, pm: As) -> None:
    label, member = await made_label(state, firm), firm.scope("member").member
    assert member is not None
    await made_task(state, firm, project, name="First")
    top, child, part = new_id(), new_id(), new_id()
    then = datetime(2026, 1, 31, 18, 0, tzinfo=UTC)  # already February in Ho Chi Minh City
    tasks = [
        NewTask("Child", id=child, parent_id=top, progress=50, assignees=[member, member][:1], labels=[label]),
        NewTask("Top", id=top, due_on=date(2026, 2, 1), estimate_min=60),
        NewTask("Part", id=part, parent_id=child, status="done", created_at=then, closed_at=then),
        NewTask("Stuck", status="blocked", reason="No crane"),
        NewTask("Out", parent_id=top, status="canceled", reason="No need", progress=70),
    ]
    numbers = await put(state, firm, project, tasks, [NewLink(part, top, "FF", -30)])
    assert numbers == range(2, 7)
    rows = (await pm.get(f"/api/v1/app/projects/{project}/tasks")).json()["data"]
    shown = {row["name"]: row for row in rows}
    assert [row["name"] for row in rows] == ["First", "Child", "Top", "Part", "Stuck", "Out"]
    assert [shown[name]["depth"] for name in ("Top", "Child", "Part")] == [0, 1, 2]
    assert [shown[name]["progress"] for name in ("Top", "Child", "Part", "Out")] == [100, 100, 100, 70]
    assert (shown["Stuck"]["block_reason"], shown["Out"]["cancel_reason"]) == ("No crane", "No need")
    assert (shown["Child"]["assignee_ids"], shown["Child"]["label_ids"]) == ([str(member)], [str(label)])
    links = (await pm.get(f"/api/v1/app/tasks/{top}/dependencies")).json()["data"]
    assert [(link["key"], link["type"], link["lag_min"]) for link in links] == [("HBR-4", "FF", -30)]
    async with state.db.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT set_config('app.tenant', $1, true)", str(firm.tenant))
        day = await conn.fetchrow("SELECT created_day, closed_day FROM task WHERE id = $1", part)
    assert tuple(day) == (date(2026, 2, 1), date(2026, 2, 1))


async def test_nothing_is_recorded_and_nothing_of_nothing_made(state: State, firm: Firm, project: UUID, pm: As) -> None:
    before = (await pm.get(f"/api/v1/app/projects/{project}/activity")).json()["data"]
    assert await put(state, firm, project, []) == range(0)
    await put(state, firm, project, [NewTask("A")])
    assert (await pm.get(f"/api/v1/app/projects/{project}/activity")).json()["data"] == before


@pytest.mark.parametrize(
    ("role", "refusal"), [("viewer", Forbidden), ("client", Forbidden), ("member", None), ("owner", None)]
)
async def test_it_asks_for_permission(
    role: str, refusal: type[Problem] | None, state: State, firm: Firm, project: UUID
) -> None:
    if refusal is None:
        await put(state, firm, project, [NewTask("A")], role=role)
        return
    with pytest.raises(refusal):
        await put(state, firm, project, [NewTask("A")], role=role)


async def test_what_does_not_hold_together_changes_nothing(
    state: State, firm: Firm, stranger: Firm, project: UUID, pm: As
) -> None:
    one, two = NewTask("A"), NewTask("B")
    deep = [NewTask("0")]
    for level in range(1, MAX_DEPTH + 1):
        deep.append(NewTask(str(level), parent_id=deep[-1].id))
    outsider = stranger.scope("pm").member
    assert outsider is not None
    attempts: list[tuple[type[Exception], list[NewTask], list[NewLink]]] = [
        (CycleError, [one, two], [NewLink(one.id, two.id), NewLink(two.id, one.id)]),
        (ValueError, [one], [NewLink(one.id, two.id)]),
        (ValueError, [NewTask("A", parent_id=two.id)], []),
        (Invalid, deep, []),
        (NotFound, [NewTask("A", assignees=[outsider])], []),
    ]
    for refusal, tasks, links in attempts:
        with pytest.raises(refusal):
            await put(state, firm, project, tasks, links)
    assert (await pm.get(f"/api/v1/app/projects/{project}/tasks")).json()["data"] == []
    await to_status(pm, project, "completed")
    with pytest.raises(Invalid, match="completed"):
        await put(state, firm, project, [one])


async def test_ten_thousand_rows_in_seconds(state: State, firm: Firm, project: UUID, pm: As) -> None:
    """With parents and links; the goal for a whole import is ten seconds."""
    tops = [NewTask(f"Part {n}") for n in range(100)]
    tasks = [*tops, *(NewTask(f"Task {n}", parent_id=tops[n % 100].id, progress=n % 101) for n in range(9_900))]
    links = [NewLink(tasks[n - 1].id, tasks[n].id) for n in range(101, 10_000)]
    began = time.perf_counter()
    await put(state, firm, project, tasks, links)
    assert time.perf_counter() - began < 10
    assert (await pm.get(f"/api/v1/app/projects/{project}")).json()["tasks"]["backlog"] == 10_000
