"""Live channels give the same answers as the API."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.factories import Firm
from tests.work.making import made_project, made_task
from zena.kit.errors import NotFound
from zena.kit.registry import ChannelRule, EventRow
from zena.kit.state import State
from zena.work.channels import ProjectsChannel, TasksChannel

Make = Callable[..., EventRow]


@pytest.fixture
def event(firm: Firm) -> Make:
    def made(kind: str, project: UUID | None, subject: UUID | None = None, **payload: Any) -> EventRow:
        return EventRow(
            tenant_id=firm.tenant,
            position=1,
            id=uuid4(),
            type=kind,
            actor=None,
            subject_type=kind.partition(".")[0],
            subject_id=subject or uuid4(),
            project_id=project,
            payload=payload,
            batch_id=None,
            at="2026-03-10T05:00:00+00:00",
        )

    return made


async def allow(state: State, firm: Firm, role: str, rule: ChannelRule, object_id: object = None) -> Any:
    async with state.db.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT set_config('app.tenant', $1, true)", str(firm.tenant))
        return await rule.allow(conn, firm.scope(role), None if object_id is None else str(object_id))


async def test_staff_hear_the_firm_or_one_project_or_one_task(
    state: State, firm: Firm, project: UUID, event: Make
) -> None:
    rule, task = TasksChannel(), await made_task(state, firm, project)
    moved = event("task.moved", project, task, internal=True)
    for object_id in (None, str(project), str(task)):
        seen = await allow(state, firm, "viewer", rule, object_id)
        assert rule.visible(moved, object_id, seen)
        assert not rule.visible(event("membership.role_changed", None), object_id, seen)
    elsewhere = event("task.moved", uuid4())
    assert not rule.visible(elsewhere, str(project), seen)


async def test_a_client_hears_shared_projects_without_what_is_internal(
    state: State, firm: Firm, project: UUID, event: Make
) -> None:
    rule = TasksChannel()
    other = await made_project(state, firm, name="Other", parts=False)
    hidden = await made_task(state, firm, project, internal=True)
    seen = await allow(state, firm, "client", rule)
    assert rule.visible(event("task.moved", project, internal=False), None, seen)
    assert not rule.visible(event("task.moved", project, internal=True), None, seen)
    assert not rule.visible(event("task.moved", other), None, seen)
    for refused in (other, hidden, uuid4(), "not-an-id"):
        with pytest.raises(NotFound):
            await allow(state, firm, "client", rule, refused)


async def test_a_client_who_is_taken_out_hears_no_more(state: State, firm: Firm, project: UUID, event: Make) -> None:
    rule = TasksChannel()
    seen = await allow(state, firm, "client", rule, project)
    out = event("project.member_changed", project, project, member=str(firm.scope("client").member), role=None)
    rule.visible(out, str(project), seen)
    assert not rule.visible(event("task.moved", project), str(project), seen)


async def test_another_firms_project_is_no_channel(state: State, stranger: Firm, project: UUID) -> None:
    for rule in (TasksChannel(), ProjectsChannel()):
        with pytest.raises(NotFound):
            await allow(state, stranger, "owner", rule, project)


async def test_projects_hear_what_changes_their_figures(state: State, firm: Firm, project: UUID, event: Make) -> None:
    rule = ProjectsChannel()
    seen = await allow(state, firm, "viewer", rule)
    assert rule.visible(event("task.created", project), None, seen)
    assert not rule.visible(event("task.ranked", project), None, seen)
    assert not rule.visible(event("project.budget_changed", project), None, seen)
    assert rule.visible(event("project.budget_changed", project), None, await allow(state, firm, "pm", rule))
