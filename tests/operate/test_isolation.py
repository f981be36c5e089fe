"""The prober finds nothing where firms are held apart, and names whatever is broken on purpose."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest

from tests.conformance.filters import without_any
from tests.factories.recorder import rewriting, tapped
from tests.operate.commands import Terminal
from zena.kit.cache.entry import CacheKey
from zena.kit.embedded import ClusterUrls
from zena.main import build_state, create_app, started
from zena.operate.isolation.probes import leave
from zena.operate.isolation.rounds import Route, Trial, routes_of
from zena.operate.isolation.verify import fences, trying, verify
from zena.settings import Settings

#: Filled by the passing of days, or for seconds.
EMPTY = {"kpi_snapshot", "project_health_snapshot", "idempotency_key", "ws_ticket"}
PROBES = "SELECT id FROM tenant WHERE plan = 'probe' ORDER BY id"
LABEL = "/api/v1/app/labels"


@pytest.fixture
async def owner(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(urls.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(urls.ops)
    yield connection
    await connection.close()


@asynccontextmanager
async def trial_of(settings: Settings) -> AsyncIterator[Trial]:
    """A trial on connections and a cache of its own."""
    made = build_state(settings)
    async with started(made), trying(made, create_app) as trial:
        yield trial


@pytest.fixture
async def trial(settings: Settings) -> AsyncIterator[Trial]:
    async with trial_of(settings) as made:
        yield made


@asynccontextmanager
async def broken(conn: asyncpg.Connection, statement: str, mended: str) -> AsyncIterator[None]:
    await conn.execute(statement)
    try:
        yield
    finally:
        await conn.execute(mended)


@contextmanager
def forgotten(table: str, alias: str) -> Iterator[None]:
    """Take the tenant's filter out of every statement about a table that the application sends."""
    ours = re.compile(rf"\b({table}|{alias})\.tenant_id")
    with tapped(), rewriting(lambda text: without_any(text) if ours.search(text) else text):
        yield


def told(trial: Trial) -> dict[str, list[str]]:
    """What was found, by the name of the check."""
    found: dict[str, list[str]] = {}
    for one in trial.verdict.findings:
        found.setdefault(one.check, []).append(one.subject)
    return found


@pytest.mark.proof
async def test_firms_that_are_held_apart_show_nothing(settings: Settings) -> None:
    """Every route is tried, on somebody who has one of everything."""
    made = build_state(settings)
    async with started(made):
        verdict = await verify(made, create_app)
    assert (verdict.findings, verdict.unfinished) == ([], [])
    assert verdict.routes >= 200
    assert verdict.requests >= 400
    assert verdict.reached >= 100, "what is one's own must be seen, or nothing is"


async def test_the_probe_firms_hold_one_of_everything_and_are_seen_nowhere(
    trial: Trial, ops: asyncpg.Connection
) -> None:
    made = [trial.mine.firm.id, trial.other.firm.id]
    assert [row["id"] for row in await ops.fetch(PROBES)] == made
    for table in trial.tables:
        many = await ops.fetchval(f"SELECT count(*) FROM {table.quoted} WHERE tenant_id = $1", made[0])  # noqa: S608 - a name from the catalog
        assert many or table.name in EMPTY, f"the probe firms hold no {table.name}: isolation/probes.py makes one"
    unknown = {name for route in routes_of(trial.app) for name in route.names} - set(trial.mine.ids)
    assert unknown == set(), "isolation/probes.py says where an id in an address comes from"
    assert await ops.fetchval("SELECT count(*) FROM gate.served_tenants() s WHERE s = ANY ($1::uuid[])", made) == 0
    assert await ops.fetchval("SELECT count(*) FROM gate.firms_in_numbers() WHERE id = ANY ($1::uuid[])", made) == 0
    await leave([trial.mine, trial.other])
    live = "SELECT count(*) FROM session s JOIN membership m USING (user_id) WHERE m.tenant_id = ANY ($1::uuid[])"
    assert await ops.fetchval(f"{live} AND s.revoked_at IS NULL", made) == 0


async def test_a_probe_firm_that_was_left_half_made_is_made_anew(settings: Settings, ops: asyncpg.Connection) -> None:
    async with trial_of(settings) as first:
        before = first.mine.firm.id, first.other.firm.id
    await ops.execute("DELETE FROM import_run WHERE tenant_id = $1", before[0])
    async with trial_of(settings) as second:
        after = second.mine.firm.id, second.other.firm.id
    assert (before[0] in after, before[1] in after, len(set(after))) == (False, True, 2)


async def test_row_security_switched_off_and_a_forgotten_filter_are_a_leak(
    trial: Trial, owner: asyncpg.Connection
) -> None:
    """Without the policy alone the filters still hold, and the fence is named; without both, the routes are."""
    off, on = (f"ALTER TABLE label {word} ROW LEVEL SECURITY" for word in ("DISABLE", "ENABLE"))
    routes = [Route("GET", LABEL), Route("GET", "/labels"), Route("GET", "/api/v1/app/projects")]
    async with broken(owner, off, on):
        await fences(trial)
        await trial.rows()
        await trial.pages(routes)
        assert told(trial) == {"posture": ["row security"], "row security": ["label", "label"]}
        with forgotten("label", "l"):
            await trial.pages(routes)
    leaks = set(told(trial)["leak"])
    assert f"GET {LABEL}" in leaks, leaks
    assert "GET /api/v1/app/projects" not in leaks
    assert any("its mark" in one.sample for one in trial.verdict.findings)


async def test_a_change_that_gets_through_is_named_with_its_route(trial: Trial, owner: asyncpg.Connection) -> None:
    off, on = (f"ALTER TABLE label {word} ROW LEVEL SECURITY" for word in ("DISABLE", "ENABLE"))
    async with broken(owner, off, on):
        with forgotten("label", "l"):
            await trial.changes([Route("PATCH", f"{LABEL}/{{label_id}}")])
    assert f"PATCH {LABEL}/{{label_id}}" in told(trial)["write"]


async def test_firms_that_may_hold_words_of_each_other_are_made_anew(settings: Settings) -> None:
    """What got through once must not be told again when the hole is closed."""
    async with trial_of(settings) as mixed:
        mixed.verdict.found("write", "PATCH /somewhere")
        before = {mixed.mine.firm.id, mixed.other.firm.id}
    async with trial_of(settings) as after:
        assert not {after.mine.firm.id, after.other.firm.id} & before


_SAME = "(SELECT nullif(current_setting('app.tenant', true), '')::uuid)"


@pytest.mark.parametrize(
    ("statement", "mended", "named"),
    [
        ("CREATE POLICY open ON label USING (true)", "DROP POLICY open ON label", "open policy"),
        (
            f"ALTER POLICY tenant ON label USING (tenant_id = {_SAME} OR true)",
            f"ALTER POLICY tenant ON label USING (tenant_id = {_SAME})",
            "policy",
        ),
    ],
)
async def test_a_policy_that_lets_all_pass_is_named(
    trial: Trial, owner: asyncpg.Connection, statement: str, mended: str, named: str
) -> None:
    async with broken(owner, statement, mended):
        await fences(trial)
        await trial.rows()
    found = told(trial)
    assert found["posture"] == [named]
    assert set(found["row security"]) == {"label"}


async def test_a_view_with_its_owners_rights_is_named(trial: Trial, owner: asyncpg.Connection) -> None:
    async with broken(owner, "CREATE VIEW every_task AS SELECT * FROM task", "DROP VIEW every_task"):
        await fences(trial)
    assert told(trial) == {"posture": ["view"]}


async def test_a_cache_key_without_its_firm_is_named(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    await trial.pages([Route("GET", "/api/v1/app/dashboard")])
    await trial.cached()
    assert told(trial) == {}
    monkeypatch.setattr(CacheKey, "place", property(lambda key: f"kpi:{key.family}:{key.name}"))
    await trial.pages([Route("GET", "/api/v1/app/dashboard")])
    await trial.cached()
    assert set(told(trial)) == {"cache key"}


class Open:
    """A rule that asks nothing."""

    async def allow(self, *_: Any) -> None:
        return None

    def visible(self, *_: Any) -> bool:
        return True


async def test_a_channel_that_lets_all_listen_is_named(trial: Trial) -> None:
    await trial.channels()
    assert told(trial) == {}
    trial.state.registry.channels["open"] = Open()
    await trial.channels()
    assert set(told(trial)) == {"channel"}
    assert all(":open:" in name for name in told(trial)["channel"])


@pytest.mark.proof
async def test_the_command_says_so_and_stays_hidden(urls: ClusterUrls, settings: Settings) -> None:
    terminal = Terminal(urls, settings.data_dir)
    done = await terminal("tenant", "verify-isolation", "--json")
    assert (done.code, '"ok": true' in done.out, done.err) == (0, True, "")
    assert "probe" not in (await terminal("tenant", "list")).out
