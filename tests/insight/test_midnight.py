"""Days are the tenant's: what is overdue changes at its midnight, without any event."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.factories import Firm
from tests.insight.conftest import Inside
from tests.insight.history import History
from zena.insight import families, kpis
from zena.kit.cache import Cache
from zena.kit.clock import FixedClock
from zena.kit.scope import Scope
from zena.kit.state import State


@pytest.mark.parametrize(
    ("timezone", "last_second"),
    [
        ("Asia/Ho_Chi_Minh", datetime(2026, 3, 10, 16, 59, 59, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 11, 3, 59, 59, tzinfo=UTC)),
        ("UTC", datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 3, 10, 9, 59, 59, tzinfo=UTC)),
    ],
)
async def test_a_task_due_today_is_overdue_from_local_midnight(
    timezone: str, last_second: datetime, state: State, firm: Firm, inside: Inside, cache: Cache, clock: FixedClock
) -> None:
    clock.at = last_second
    scope = replace(firm.scope(), timezone=timezone, at=clock.now())
    assert scope.today == date(2026, 3, 10)
    await due_on(state, firm, scope, scope.today)
    assert await counted(inside, cache, scope) == (0, 1)
    clock.advance(timedelta(seconds=1))
    after = replace(scope, at=clock.now())
    assert await counted(inside, cache, after) == (1, 0)


async def test_due_soon_ends_three_days_ahead(state: State, firm: Firm, inside: Inside, cache: Cache) -> None:
    scope = firm.scope()
    for days in (-1, 0, 3, 4):
        await due_on(state, firm, scope, scope.today + timedelta(days=days))
    assert await counted(inside, cache, scope) == (1, 2)


async def test_the_chart_counts_by_the_tenants_days(state: State, firm: Firm, inside: Inside) -> None:
    """23:30 and 00:30 in Ho Chi Minh City are one day in UTC and two days there."""
    before, after = datetime(2026, 3, 10, 16, 30, tzinfo=UTC), datetime(2026, 3, 10, 17, 30, tzinfo=UTC)
    for at in (before, after, after):
        await due_on(state, firm, replace(firm.scope(), at=at), None)
    scope = replace(firm.scope(), at=after)
    async with inside(scope) as conn:
        found = await families.tasks(conn, scope)
    assert len(found.days) == families.DAYS
    assert [(day.day.day, day.created) for day in found.days[-2:]] == [(10, 1), (11, 2)]


async def due_on(state: State, firm: Firm, scope: Scope, day: date | None) -> None:
    life = History(state, firm, random.Random(1), scope.at)  # noqa: S311 - tests
    assert await life.do(life.new_project)
    assert await life.do(lambda session: life.new_task(session, due_on=day))


async def counted(inside: Inside, cache: Cache, scope: Scope) -> tuple[int, int]:
    async with inside(scope) as conn:
        found = (await kpis.family(conn, scope, cache, "dashboard")).data
    return found.overdue_tasks, found.due_soon_tasks
