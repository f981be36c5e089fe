"""The dashboard's live channel hears whatever changes a figure, and nothing else."""

from typing import Any

import pytest

from tests.factories import Firm
from tests.insight.conftest import Inside
from zena.accounts.permissions import Role
from zena.insight.channels import DashboardChannel
from zena.kit.errors import Forbidden, NotFound
from zena.kit.events import EVENTS
from zena.kit.ids import new_id
from zena.kit.registry import EventRow
from zena.kit.state import State

RULE = DashboardChannel()


def event(kind: str) -> EventRow:
    values: dict[str, Any] = {"payload": {}, "batch_id": None, "actor": None, "project_id": new_id(), "at": ""}
    return EventRow(
        tenant_id=new_id(), position=1, id=new_id(), type=kind, subject_type="", subject_id=new_id(), **values
    )


async def test_the_channel_is_registered(state: State) -> None:
    assert isinstance(state.registry.channels["dashboard"], DashboardChannel)


@pytest.mark.parametrize(
    "kind",
    [
        "task.created", "task.updated", "task.moved", "task.assigned", "task.trashed", "task.restored",
        "project.created", "project.updated", "project.status_changed", "project.trashed", "project.budget_changed",
        "import.applied",
    ],
)  # fmt: skip
async def test_what_changes_a_figure_is_heard(kind: str) -> None:
    assert RULE.visible(event(kind), None, None)


@pytest.mark.parametrize("kind", ["comment.created", "label.changed", "task.ranked", "no.such_event"])
async def test_what_changes_none_is_not(kind: str) -> None:
    assert not RULE.visible(event(kind), None, None)


async def test_every_event_that_bumps_a_family_is_heard(state: State) -> None:
    families = {"dashboard", "projects", "tasks", "team"}
    for name, declared in EVENTS.items():
        assert RULE.visible(event(name), None, None) == bool(declared.families & families), name


@pytest.mark.parametrize("role", list(Role))
async def test_who_may_see_the_page_may_listen(role: Role, firm: Firm, inside: Inside) -> None:
    scope = firm.scope(role)
    async with inside(scope) as conn:
        if role is Role.CLIENT:
            with pytest.raises(Forbidden):
                await RULE.allow(conn, scope, None)
        else:
            await RULE.allow(conn, scope, None)


async def test_there_is_one_dashboard_per_firm(firm: Firm, inside: Inside) -> None:
    scope = firm.scope()
    async with inside(scope) as conn:
        with pytest.raises(NotFound):
            await RULE.allow(conn, scope, str(new_id()))
