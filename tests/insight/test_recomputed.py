"""Whatever happened, every figure equals a slow recount of the rows."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_firm
from tests.insight.conftest import Inside
from tests.insight.history import History
from tests.insight.slow import Facts, quantile
from zena.accounts.permissions import Role
from zena.insight import families
from zena.insight.figures import Durations
from zena.insight.health import health_of
from zena.kit.state import State

STEPS = 45


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
async def test_every_family_equals_a_recount_after_a_random_history(seed: int, state: State, inside: Inside) -> None:
    firm = await make_firm(state.db, roles=(Role.OWNER, Role.ADMIN, Role.MEMBER))
    history = History(state, firm, random.Random(seed), datetime(2026, 3, 1, tzinfo=UTC))  # noqa: S311 - tests
    for deed in [history.new_project] * 2 + [history.new_task] * 10:
        await history.do(deed)
    allowed = [await history.step() for _ in range(STEPS)]
    assert any(allowed)
    scope = history.scope
    async with inside(scope) as conn:
        facts = await Facts.read(conn, scope)
        assert_glance(await families.dashboard(conn, scope), facts)
        assert_projects(await families.projects(conn, scope), facts)
        assert_tasks(await families.tasks(conn, scope), facts)
        team = await families.team(conn, scope)
        assert {one.member: one.open for one in team.open_work} == facts.open_work()
        for project in facts.projects:
            found = await families.project_figures(conn, scope, project["id"])
            assert found is not None
            assert found[1].health == health_of(facts.standing(project))


def assert_glance(found: Any, facts: Facts) -> None:
    figures = msgspec.to_builtins(found)
    assert {name: figures[name] for name in facts.dashboard()} == facts.dashboard()


def assert_projects(found: Any, facts: Facts) -> None:
    slow = facts.projects_family()
    assert found.overdue == slow["overdue"]
    for name in ("by_status", "by_priority", "health"):
        assert pruned(getattr(found, name)) == dict(slow[name]), name


def assert_tasks(found: Any, facts: Facts) -> None:
    assert pruned(found.by_status) == dict(facts.by("status"))
    assert pruned(found.by_priority) == dict(facts.by("priority"))
    assert (found.overdue, found.due_soon) == (facts.overdue(facts.tasks), facts.soon())
    assert {one.member: one.open for one in found.by_assignee} == facts.open_work()
    assert {day.day: (day.created, day.done) for day in found.days if day.created or day.done} == facts.per_day()
    assert [day.day for day in found.days] == sorted(day.day for day in found.days)
    assert_span(found.cycle_time, facts.spans("started_at"))
    assert_span(found.lead_time, facts.spans("created_at"))


def assert_span(found: Durations, slow: list[float]) -> None:
    assert found.sample == len(slow)
    if slow:
        assert [found.p50, found.p85] == pytest.approx([quantile(slow, 0.5), quantile(slow, 0.85)], abs=0.006)
    else:
        assert (found.p50, found.p85) == (None, None)


def pruned(counts: dict[str, int]) -> dict[str, int]:
    """Return the counts that are not zero: the recount knows no others."""
    return {name: count for name, count in counts.items() if count}
