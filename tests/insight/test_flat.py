"""What a dashboard costs does not depend on how many tasks there are."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from tests.factories import Firm, make_firm
from tests.insight.conftest import Inside
from tests.insight.history import History
from zena.insight import families, queries
from zena.kit.embedded import ClusterUrls
from zena.kit.scope import Scope
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.facade import NewTask, insert_tasks

FEW, MANY = 10, 1000


@pytest.mark.parametrize("family", list(families.FAMILIES))
async def test_the_number_of_statements_is_the_same_for_ten_and_a_thousand_tasks(
    family: str, state: State, inside: Inside
) -> None:
    counts = []
    for size in (FEW, MANY):
        firm = await make_firm(state.db)
        await fill(state, firm, size)
        counts.append(await statements(inside, firm.scope(), family))
    assert counts[0] == counts[1]
    assert len(counts[0]) <= 6


async def statements(inside: Inside, scope: Scope, family: str) -> list[str]:
    """Return what is sent to the database to compute a family."""
    sent: list[str] = []

    def note(record: Any) -> None:
        sent.append(record.query)

    async with inside(scope) as conn:
        await families.FAMILIES[family](conn, scope)  # the driver asks for unknown types once per connection
        conn.add_query_logger(note)
        try:
            await families.FAMILIES[family](conn, scope)
        finally:
            conn.remove_query_logger(note)
    return sent


@pytest.mark.parametrize("name", ["_TOTALS", "_DUE", "_STANDINGS", "_OPEN_WORK", "_DAYS", "_GROUPS", "_PROJECT"])
async def test_no_plan_but_that_of_durations_reads_the_tasks(name: str, firm: Firm, inside: Inside) -> None:
    statement = getattr(queries, name)
    assert "task t" not in statement
    assert "FROM task" not in statement


async def test_durations_walk_the_index_from_its_end_and_stop(
    state: State, firm: Firm, inside: Inside, urls: ClusterUrls
) -> None:
    await fill(state, firm, MANY)
    await analyzed(urls)
    async with inside(firm.scope()) as conn:
        await conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan")
        await conn.execute(f"PREPARE spans(uuid, bigint) AS {queries._DURATIONS}")
        found = await conn.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE spans('{firm.tenant}', 500)")
        await conn.execute("DEALLOCATE spans")
    plan = json.dumps(json.loads(found) if isinstance(found, str) else found)
    assert "ix_task_closed" in plan
    assert '"Scan Direction": "Backward"' in plan


async def analyzed(urls: ClusterUrls) -> None:
    """Let the planner know the table as it is now, not as autovacuum last saw it."""
    conn = await asyncpg.connect(urls.superuser)
    try:
        await conn.execute("ANALYZE task")
    finally:
        await conn.close()


async def fill(state: State, firm: Firm, size: int) -> None:
    life = History(state, firm, random.Random(2), datetime.now(UTC))  # noqa: S311 - tests
    assert await life.do(life.new_project)
    async with tenant_work(state.db, life.scope) as session:
        tasks = [NewTask(name=f"Task {number}") for number in range(size)]
        await insert_tasks(session, life.scope, project_id=life.projects[0], tasks=tasks)
