"""What the cache gives is compared with the rows: what was changed past it is named, and nothing honest is."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tests.factories import Firm
from tests.insight.conftest import Inside
from tests.insight.history import History
from tests.insight.test_fresh import history_of, read
from zena.insight import kpis
from zena.insight.shadow import differing
from zena.kit.cache import Cache
from zena.kit.cache.entry import Envelope
from zena.kit.clock import FixedClock
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State

RAISE = "UPDATE project SET budget_actual = coalesce(budget_actual, 0) + 7 WHERE tenant_id = $1"


@dataclass
class Watched:
    """A firm with a project, a cache of which every found value is compared, and what was told of it."""

    life: History
    cache: Cache
    inside: Inside
    said: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def hear(self, family: str, tenant: UUID, cause: str, fields: Sequence[str]) -> None:
        assert tenant == self.life.scope.tenant
        self.said.append((family, cause, list(fields)))

    async def read(self, family: str = "dashboard") -> Any:
        return await read(self.inside, self.cache, self.life.scope, family)


@pytest.fixture
async def watched(state: State, firm: Firm, inside: Inside) -> AsyncIterator[Watched]:
    """The cache lives now, since the database does too."""
    made = Watched(history_of(state, firm), Cache(), inside)
    made.cache.shadow.every = 0
    made.cache.shadow.listeners.append(made.hear)
    await made.life.do(made.life.new_project)
    await made.cache.start()
    yield made
    await made.cache.stop()


async def rewrite(cache: Cache, change: Any) -> None:
    """Put something else into the place of the only value."""
    [key] = await cache.keys()
    text = await cache.store.get(key)
    assert text is not None
    envelope = change(msgspec.json.decode(text, type=Envelope))
    await cache.store.set(key, msgspec.json.encode(envelope).decode(), 60)


async def test_rows_changed_without_an_event_are_named_until_an_event_comes(watched: Watched) -> None:
    await watched.read()
    assert watched.said == [], "a value just computed is not computed again"
    await watched.read()
    async with watched.inside(watched.life.scope) as conn:
        await conn.execute(RAISE, watched.life.scope.tenant)
    await watched.read()
    assert watched.said == [("dashboard", "", []), ("dashboard", "invalidation_missing", ["budget_actual"])]
    await watched.life.do(watched.life.new_project)
    for _ in range(2):
        await watched.read()
    assert watched.said[2:] == [("dashboard", "", [])]


async def test_a_value_that_somebody_wrote_is_told_from_one_that_was_computed(watched: Watched) -> None:
    await watched.read()

    def richer(envelope: Envelope) -> Envelope:
        envelope.value["data"]["total_projects"] += 1
        return envelope

    await rewrite(watched.cache, richer)
    await watched.read()
    assert watched.said == [("dashboard", "wrong_value", ["total_projects"])]
    await rewrite(watched.cache, lambda envelope: msgspec.structs.replace(envelope, release="0.0.9"))
    await watched.read()
    assert len(watched.said) == 1, "another release may compute otherwise"


async def test_a_value_that_outlives_its_time_tells_of_a_clock(watched: Watched) -> None:
    watched.cache.clock = FixedClock(datetime.now(UTC) - timedelta(seconds=kpis.LIFE + 10))
    for _ in range(2):
        await watched.read()
    assert watched.said == [("dashboard", "clock", [])]


async def test_many_who_write_and_read_at_once_are_never_taken_for_a_fault(watched: Watched) -> None:

    async def write() -> None:
        for _ in range(6):
            assert await watched.life.do(watched.life.new_task)

    async def look() -> None:
        for number in range(12):
            await watched.read(("dashboard", "tasks", "projects", "team")[number % 4])

    await asyncio.gather(write(), *(look() for _ in range(4)))
    assert watched.said
    assert {cause for _, cause, _ in watched.said} == {""}


async def test_a_comparison_that_fails_or_hangs_costs_the_reader_nothing_but_a_moment(
    watched: Watched, urls: ClusterUrls
) -> None:
    before = await watched.read()
    other = await asyncpg.connect(urls.owner)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE project_due_stats IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(3), watched.inside(watched.life.scope) as conn:
                found = await kpis.family(conn, watched.life.scope, watched.cache, "dashboard")
                assert found.generated_at == before.generated_at
                assert await conn.fetchval("SELECT count(*) FROM tenant") == 1, "the reader's transaction goes on"
    finally:
        await other.close()
    assert watched.said == []


async def test_it_is_paced_and_costs_nothing_where_nobody_listens(watched: Watched) -> None:
    watched.cache.shadow.every = 3600
    for _ in range(5):
        await watched.read()
    assert len(watched.said) == 1
    watched.cache.shadow.listeners.clear()
    assert not watched.cache.shadow.is_due


def test_names_and_what_no_event_tells_of_are_not_compared() -> None:
    found = {"open_work": [{"name": "Lan", "open": 2}], "signed_in_last_week": 1, "total": 3}
    fresh = {"open_work": [{"name": "Lân", "open": 2}], "signed_in_last_week": 4, "total": 3}
    assert differing(found, fresh) == []
    assert differing(found, fresh | {"open_work": [{"name": "Lân", "open": 3}], "new": None}) == ["new", "open_work"]
