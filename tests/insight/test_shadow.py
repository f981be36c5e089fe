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
class Heard:
    """What the shadow of a cache told of one firm."""

    tenant: UUID
    said: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def hear(self, family: str, tenant: UUID, cause: str, fields: Sequence[str]) -> None:
        assert tenant == self.tenant
        self.said.append((family, cause, list(fields)))


@pytest.fixture
async def now_cache(firm: Firm) -> AsyncIterator[tuple[Cache, Heard]]:
    """A cache that lives now, since the database does too, of which every found value is compared."""
    made, heard = Cache(), Heard(firm.tenant)
    made.shadow.every = 0
    made.shadow.listeners.append(heard.hear)
    await made.start()
    yield made, heard
    await made.stop()


async def rewrite(cache: Cache, change: Any) -> None:
    """Put something else into the place of the only value."""
    [key] = await cache.keys()
    text = await cache.store.get(key)
    assert text is not None
    envelope = change(msgspec.json.decode(text, type=Envelope))
    await cache.store.set(key, msgspec.json.encode(envelope).decode(), 60)


async def test_rows_changed_without_an_event_are_named_until_an_event_comes(
    state: State, firm: Firm, inside: Inside, now_cache: tuple[Cache, Heard]
) -> None:
    cache, heard = now_cache
    life = history_of(state, firm)
    await life.do(life.new_project)
    await read(inside, cache, life.scope)
    assert heard.said == [], "a value just computed is not computed again"
    await read(inside, cache, life.scope)
    async with inside(life.scope) as conn:
        await conn.execute(RAISE, firm.tenant)
    await read(inside, cache, life.scope)
    assert heard.said == [("dashboard", "", []), ("dashboard", "invalidation_missing", ["budget_actual"])]
    await life.do(life.new_project)
    for _ in range(2):
        await read(inside, cache, life.scope)
    assert heard.said[2:] == [("dashboard", "", [])]


async def test_a_value_that_somebody_wrote_is_told_from_one_that_was_computed(
    state: State, firm: Firm, inside: Inside, now_cache: tuple[Cache, Heard]
) -> None:
    cache, heard = now_cache
    life = history_of(state, firm)
    await life.do(life.new_project)
    await read(inside, cache, life.scope)

    def richer(envelope: Envelope) -> Envelope:
        envelope.value["data"]["total_projects"] += 1
        return envelope

    await rewrite(cache, richer)
    await read(inside, cache, life.scope)
    assert heard.said == [("dashboard", "wrong_value", ["total_projects"])]
    await rewrite(cache, lambda envelope: msgspec.structs.replace(envelope, release="0.0.9"))
    await read(inside, cache, life.scope)
    assert len(heard.said) == 1, "another release may compute otherwise"


async def test_a_value_that_outlives_its_time_tells_of_a_clock(
    state: State, firm: Firm, inside: Inside, now_cache: tuple[Cache, Heard]
) -> None:
    cache, heard = now_cache
    life = history_of(state, firm)
    await life.do(life.new_project)
    cache.clock = FixedClock(datetime.now(UTC) - timedelta(seconds=kpis.TTL + 10))
    for _ in range(2):
        await read(inside, cache, life.scope)
    assert heard.said == [("dashboard", "clock", [])]


async def test_many_who_write_and_read_at_once_are_never_taken_for_a_fault(
    state: State, firm: Firm, inside: Inside, now_cache: tuple[Cache, Heard]
) -> None:
    cache, heard = now_cache
    life = history_of(state, firm)
    await life.do(life.new_project)

    async def write() -> None:
        for _ in range(6):
            assert await life.do(life.new_task)

    async def look() -> None:
        for number in range(12):
            await read(inside, cache, life.scope, ("dashboard", "tasks", "projects", "team")[number % 4])

    await asyncio.gather(write(), *(look() for _ in range(4)))
    assert heard.said
    assert {cause for _, cause, _ in heard.said} == {""}


async def test_a_comparison_that_fails_or_hangs_costs_the_reader_nothing_but_a_moment(
    state: State, firm: Firm, inside: Inside, now_cache: tuple[Cache, Heard], urls: ClusterUrls
) -> None:
    cache, heard = now_cache
    life = history_of(state, firm)
    await life.do(life.new_project)
    before = await read(inside, cache, life.scope)
    other = await asyncpg.connect(urls.owner)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE project_due_stats IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(3), inside(life.scope) as conn:
                found = await kpis.family(conn, life.scope, cache, "dashboard")
                assert found.generated_at == before.generated_at
                assert await conn.fetchval("SELECT count(*) FROM tenant") == 1, "the reader's transaction goes on"
    finally:
        await other.close()
    assert heard.said == []


async def test_it_is_paced_and_costs_nothing_where_nobody_listens(
    state: State, firm: Firm, inside: Inside, now_cache: tuple[Cache, Heard]
) -> None:
    cache, heard = now_cache
    cache.shadow.every = 3600
    life = history_of(state, firm)
    await life.do(life.new_project)
    for _ in range(5):
        await read(inside, cache, life.scope)
    assert len(heard.said) == 1
    cache.shadow.listeners.clear()
    assert not cache.shadow.is_due


def test_names_and_what_no_event_tells_of_are_not_compared() -> None:
    found = {"open_work": [{"name": "Lan", "open": 2}], "signed_in_last_week": 1, "total": 3}
    fresh = {"open_work": [{"name": "Lân", "open": 2}], "signed_in_last_week": 4, "total": 3}
    assert differing(found, fresh) == []
    assert differing(found, fresh | {"open_work": [{"name": "Lân", "open": 3}], "new": None}) == ["new", "open_work"]
