"""A04: transactions of many tenants over few connections, a good part of them cancelled wherever they wait."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import select, text

from tests.conformance.cancelling import Cancelled, waits_of
from tests.conftest import PUBLIC_URL
from tests.factories import Firm, make_firm
from zena.accounts.permissions import Role
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work
from zena.main import build_state, create_app, started
from zena.settings import Settings
from zena.work.models import Label

TENANTS, POOL, AT_ONCE, CANCELLED = 50, 3, 12, 0.4
APPLICATION = "zena-web"

_INSERT = text(
    "INSERT INTO label (tenant_id, id, name, name_key, hue, version) VALUES (:tenant, :id, :name, :name, 0, 1)"
)


@dataclass(slots=True)
class Tally:
    """What came of the tasks."""

    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    written: dict[UUID, set[UUID]] = field(default_factory=dict)  # acknowledged, by tenant


@dataclass(slots=True)
class Crowd:
    """Fifty firms before one process that has three connections."""

    state: State
    http: httpx.AsyncClient
    firms: list[Firm]
    tally: Tally = field(default_factory=Tally)

    async def by_session(self, firm: Firm) -> None:
        """Write and read in a unit of work."""
        label = new_id()
        async with unit_of_work(self.state.db) as session:
            await enter_tenant(session, firm.tenant)
            await session.execute(_INSERT, {"tenant": firm.tenant, "id": label, "name": f"{firm.tenant} {label}"})
            seen = (await session.scalars(select(Label.tenant_id))).all()  # no filter: only the policy stands here
        self._check(firm, [str(tenant) for tenant in seen])
        self.tally.written.setdefault(firm.tenant, set()).add(label)

    async def by_reader(self, firm: Firm) -> None:
        """Read over HTTP through the raw pool."""
        answer = await firm.client(self.http).get("/api/v1/app/labels")
        self._check(firm, [row["name"].partition(" ")[0] for row in self._data(answer)])

    async def by_page(self, firm: Firm) -> None:
        """Read over HTTP through the session dependency."""
        answer = await firm.client(self.http).get("/api/v1/app/members")
        self._check(firm, [row["email"].partition("@")[2].removesuffix(".test") for row in self._data(answer)])

    def _data(self, answer: httpx.Response) -> list[dict[str, str]]:
        if answer.status_code == 503:  # no connection came free in time
            raise TimeoutError
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, str]] = answer.json()["data"]
        return rows

    def _check(self, firm: Firm, owners: list[str]) -> None:
        strange = {owner for owner in owners if owner not in {str(firm.tenant), firm.slug}}
        if strange or not owners:
            self.tally.wrong.append(f"{firm.slug} saw {strange or 'nothing'}")


@pytest.fixture
async def crowd(settings: Settings, state: State) -> AsyncIterator[Crowd]:
    firms = [await make_firm(state.db, roles=(Role.OWNER,)) for _ in range(TENANTS)]
    narrow = build_state(settings.model_copy(update={"pool_size": POOL}))
    transport = httpx.ASGITransport(app=create_app(narrow), raise_app_exceptions=False)
    async with started(narrow), httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        made = Crowd(narrow, http, firms)
        for firm in firms:
            await made.by_session(firm)
        yield made


async def test_A04_cancelled_transactions_leave_nothing_behind(crowd: Crowd, urls: ClusterUrls) -> None:
    await _stress(crowd, urls, 600)


@pytest.mark.proof
async def test_A04_six_thousand_tasks(crowd: Crowd, urls: ClusterUrls) -> None:
    await _stress(crowd, urls, 6_000)


async def _stress(crowd: Crowd, urls: ClusterUrls, tasks: int) -> None:
    chance = random.Random(20_26)  # noqa: S311 - which tasks are cancelled, the same in each run
    ways: list[Callable[[Firm], Coroutine[Any, Any, None]]] = [crowd.by_session, crowd.by_reader, crowd.by_page]
    longest = {way: await waits_of(way(crowd.firms[0])) for way in ways}
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        way, firm = chance.choice(ways), chance.choice(crowd.firms)
        at = chance.randint(1, longest[way]) if chance.random() < CANCELLED else 0
        async with gate:
            await Cancelled(way(firm), at)

    ended = await asyncio.gather(*(one() for _ in range(tasks)), return_exceptions=True)
    tally = crowd.tally
    tally.ended.update(type(end).__name__ for end in ended)
    print(f"A04: {tasks} tasks, waits {sorted(longest.values())}, ended {dict(tally.ended)}")
    assert tally.wrong == []
    assert set(tally.ended) <= {"NoneType", "CancelledError", "TimeoutError"}, tally.ended
    assert tally.ended["CancelledError"] >= tasks * CANCELLED * 0.7
    assert tally.ended["TimeoutError"] <= tasks * 0.02
    await _nothing_is_left(crowd, urls)


async def _nothing_is_left(crowd: Crowd, urls: ClusterUrls) -> None:
    """No transaction is open, no connection is lent, none of them belongs to a tenant, every told write is there."""
    db = crowd.state.db
    assert db.engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pool that is used
    assert db.pool.get_size() - db.pool.get_idle_size() == 0
    ops = await asyncpg.connect(urls.ops)
    try:
        states = "SELECT state FROM pg_stat_activity WHERE usename = 'zena_app' AND state LIKE 'idle in transaction%'"
        assert await ops.fetch(states) == []
        for firm in crowd.firms:
            rows = await ops.fetch("SELECT id, name FROM label WHERE tenant_id = $1", firm.tenant)
            assert crowd.tally.written.get(firm.tenant, set()) <= {row["id"] for row in rows}
            assert {row["name"].partition(" ")[0] for row in rows} == {str(firm.tenant)}
    finally:
        await ops.close()
    lent = [await db.pool.acquire() for _ in range(POOL)]
    for conn in lent:
        assert await conn.fetchval("SELECT coalesce(current_setting('app.tenant', true), '')") == ""
        assert await conn.fetchval("SELECT count(*) FROM label") == 0
        await db.pool.release(conn)
    for _ in range(POOL):
        async with db.engine.connect() as connection:
            assert (await connection.scalar(text("SELECT count(*) FROM label"))) == 0
