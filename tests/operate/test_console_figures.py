"""What the console draws is what was measured: steps of time, gaps, quantiles, changes, kept requests, processes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from tests.factories import Firm
from tests.factories.firms import As
from tests.operate.console import make_operator, minutes_ago, point, series, sketch
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.console.charts import HEIGHT, WIDTH, line, marks, scale_top
from zena.operate.console.overview import fates
from zena.operate.metrics.over_time import SPANS, over_time
from zena.operate.metrics.read import read_series
from zena.operate.telemetry.rollup import TOGETHER, USERS, merge_users


@pytest.fixture
async def operator(state: State, firm: Firm, http: httpx.AsyncClient) -> As:
    return await make_operator(state, firm, http)


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(urls.ops)
    await conn.set_type_codec("jsonb", encoder=str, decoder=str, schema="pg_catalog")
    yield conn
    await conn.close()


async def test_an_hour_is_shown_by_the_minute_merged_over_processes_and_series(ops: asyncpg.Connection) -> None:
    metric = f"t.{new_id().hex[:12]}"
    first, second = await series(ops, metric, "GET /a"), await series(ops, metric, "GET /b")
    await point(ops, first, minutes_ago(10), {10: 60}, bad=3)
    await point(ops, first, minutes_ago(10), {10: 30})
    await point(ops, second, minutes_ago(10), {400: 30})
    await point(ops, first, minutes_ago(0), {10: 1})  # the minute that runs is not shown yet
    found = await over_time(ops, [metric], SPANS["1h"], datetime.now(UTC))
    assert len(found) == 60
    busy = [one for one in found if one.n]
    assert [(one.at, one.n, one.bad, one.per_second) for one in busy] == [(minutes_ago(10), 120, 3, 2.0)]
    assert busy[0].p95_ms == pytest.approx(400, rel=0.02)
    assert {one.p95_ms for one in found if not one.n} == {None}


@pytest.mark.parametrize(("since", "until"), [(200, 0), (1000, 130), (150, 63), (3000, 0)])
async def test_a_long_look_back_adds_hours_fives_and_points_each_minute_once(
    ops: asyncpg.Connection, since: int, until: int
) -> None:
    """One event a minute, merged as far as a worker got, and once more than that in what runs: `since` minutes ago."""
    metric = f"t.{new_id().hex[:12]}"
    number, now = await series(ops, metric, "GET /a"), minutes_ago(0)
    last = {minutes: floored(now, minutes) for minutes in (5, 60)}
    for minutes, first in last.items():
        await rollup(ops, minutes, first, number, 1000)
        for back in range(1, 60 * 60 // minutes):
            await rollup(ops, minutes, first - timedelta(minutes=minutes * back), number, minutes)
    for back in range(-1, (now - last[5]) // timedelta(minutes=1) + 1):
        await point(ops, number, last[5] + timedelta(minutes=back), {10: 1})
    begin = floored(now - timedelta(minutes=since), 5)
    end = now + timedelta(minutes=1) if not until else floored(now - timedelta(minutes=until), 5)
    [found] = await read_series(ops, [metric], begin, end)
    assert found.n == (end - begin) // timedelta(minutes=1)


def floored(at: datetime, minutes: int) -> datetime:
    return at - timedelta(seconds=at.timestamp() % (minutes * 60))


async def rollup(ops: asyncpg.Connection, minutes: int, bucket: datetime, number: int, n: int) -> None:
    await ops.execute(
        "INSERT INTO ops.rollup (resolution, bucket, series_id, n, bad, slow, total, peak, bins, counts)"
        " VALUES ($1, $2, $3, $4, 0, 0, 0, 0, '{1}', ARRAY[$4::bigint])",
        minutes, bucket, number, n,
    )  # fmt: skip


@pytest.mark.parametrize(("span", "resolution", "steps"), [("24h", 5, 96), ("30d", 60, 120)])
async def test_longer_spans_are_read_from_rollups(
    ops: asyncpg.Connection, span: str, resolution: int, steps: int
) -> None:
    metric = f"t.{new_id().hex[:12]}"
    number = await series(ops, metric, "GET /a")
    now = datetime.now(UTC)
    bins, counts = sketch({10: 90, 200: 10})
    step = SPANS[span].step
    bucket = datetime.fromtimestamp((now.timestamp() - 3 * step.total_seconds()) // 3600 * 3600, UTC)
    for other in (5, 60):
        many = 100 if other == resolution else 7
        await ops.execute(
            "INSERT INTO ops.rollup (resolution, bucket, series_id, n, bad, slow, total, peak, bins, counts)"
            " VALUES ($1, $2, $3, $4, 1, 2, 5, 200, $5, $6)",
            other, bucket, number, many, bins, counts,
        )  # fmt: skip
    found = await over_time(ops, [metric], SPANS[span], now)
    assert len(found) == steps
    assert found[0].at >= now - SPANS[span].length
    busy = [one for one in found if one.n]
    assert [(one.n, one.bad, one.slow) for one in busy] == [(100, 1, 2)]
    assert busy[0].at <= bucket < busy[0].at + step
    assert busy[0].p95_ms == pytest.approx(200, rel=0.02)


@pytest.mark.parametrize("span", ["24h", "30d"])
async def test_the_one_series_of_the_charts_says_what_all_series_of_people_say(
    ops: asyncpg.Connection, span: str
) -> None:
    now, resolution = datetime(2032, 5, 6, 7, 8, 9, tzinfo=UTC), SPANS[span].resolution
    routes = [await series(ops, metric, f"GET /t/{new_id()}") for metric in (*USERS, "http.own")]
    for back in range(5):
        bucket = now.replace(minute=0, second=0) - timedelta(hours=back)
        for by, number in enumerate(routes):
            bins, counts = sketch({10.0 * (by + 1): 5, 100.0 * (back + 1): 3})
            await ops.execute(
                "INSERT INTO ops.rollup (resolution, bucket, series_id, n, bad, slow, total, peak, bins, counts)"
                " VALUES ($1, $2, $3, 8, $4, 2, 5, $5, $6, $7)",
                resolution, bucket, number, by % 3, 100.0 * (back + 1), bins, counts,
            )  # fmt: skip
    for _ in range(2):  # twice is once
        await merge_users(ops, now - timedelta(days=1), now)
    together = await over_time(ops, [TOGETHER], SPANS[span], now)
    assert together == await over_time(ops, USERS, SPANS[span], now)
    assert sum(one.n for one in together) == 5 * 8 * len(USERS)
    await ops.execute("DELETE FROM ops.rollup WHERE bucket > '2032-01-01'")


def test_a_line_has_gaps_where_nothing_was_and_stays_inside() -> None:
    drawn = line([0, 5, None, 7, None, 10, 10])
    assert drawn.path.count("M") == 3
    assert (drawn.top, drawn.latest, drawn.largest) == (10, 10, 10)
    assert drawn.path.startswith(f"M0.0 {HEIGHT:.1f}L")
    assert line([]).path == ""
    assert line([None, None]).largest is None
    assert line([3]).path.endswith("h2")


@pytest.mark.parametrize(
    ("largest", "top"), [(0, 1), (0.3, 1), (1, 1), (1.01, 2), (2.2, 2.5), (4, 5), (99, 100), (100, 100), (101, 200)]
)
def test_a_scale_ends_with_a_round_number(largest: float, top: float) -> None:
    assert scale_top(largest, 1) == top


def test_changes_stand_where_they_happened() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    made = [{"at": since + timedelta(minutes=by), "kind": "deploy", "what": "x"} for by in (-1, 0, 30, 60, 61)]
    assert [mark.x for mark in marks(made, since, since + timedelta(hours=1))] == [0, WIDTH / 2, WIDTH]


def test_a_process_that_was_replaced_is_told_from_one_that_fell_silent() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)

    def process(role: str, start: int, seen: int, *, alive: bool) -> dict[str, object]:
        at = {"started_at": began + timedelta(minutes=start), "seen_at": began + timedelta(minutes=seen)}
        return {"role": role, "host": "a", "alive": alive, **at}

    replaced, heir = process("web", 0, 30, alive=False), process("web", 30, 59, alive=True)
    silent, twin = process("worker", 0, 30, alive=False), process("worker", 1, 59, alive=True)
    told = [fate for _, fate in fates([replaced, heir, silent, twin])]
    assert told == ["replaced", "up", "silent", "up"]


async def test_the_overview_tells_processes_and_draws_changes(operator: As, ops: asyncpg.Connection) -> None:
    host = f"host-{new_id().hex[:8]}"
    for role, age in (("web", 1), ("worker", 120)):
        await ops.execute(
            "INSERT INTO ops.heartbeat (process, role, host, pid, release, started_at, seen_at, facts)"
            " VALUES ($1, $2, $3, 7, '1', now() - interval '1 day', now() - make_interval(secs => $4), '{}')",
            new_id(), role, f"{host}-{role}", age,
        )  # fmt: skip
    what = f"<b>release {host}</b>"
    await ops.execute("INSERT INTO ops.change (kind, what, actor) VALUES ('deploy', $1, 'an operator')", what)
    page = (await operator.get("/ops?span=30d")).text
    escaped = what.replace("<", "&lt;").replace(">", "&gt;")
    assert what not in page
    assert escaped in page
    assert 'class="change"' in page
    assert escaped in (await operator.get("/ops/changes")).text
    await ops.execute("DELETE FROM ops.change WHERE what = $1", what)


async def test_a_kept_request_is_shown_with_its_statements_callers_and_repetition(
    operator: As, ops: asyncpg.Connection
) -> None:
    name, text = new_id().hex, f"SHOW {new_id().hex}"
    await ops.execute("INSERT INTO ops.statement (fingerprint, text, caller) VALUES ($1, $2, NULL)", name[:12], text)
    facts = (
        '{"queries": 41, "database_ms": 80.5, "pool_wait_ms": 0.2, "cache": {"tasks:expired": 2}, "statements":'
        f' [{{"fingerprint": "{name[:12]}", "times": 40, "ms": 78.1, "caller": "work/queries/x.py:4 each"}},'
        ' {"fingerprint": "unknown", "times": 1, "ms": 2.0, "caller": null}]}'
    )
    await ops.execute(
        "INSERT INTO ops.request (at, request_id, process, method, route, status, ms, kept_for, release, facts)"
        " VALUES (now(), $1, $2, 'GET', $3, 200, 99000.5, 'repeated', '1', $4)",
        name, new_id(), f"/r/{name}", facts,
    )  # fmt: skip
    listed = (await operator.get(f"/ops/requests?route=/r/{name}&reason=repeated")).text
    assert f'href="/ops/requests/{name}"' in listed
    assert f'href="/ops/requests/{name}"' not in (await operator.get(f"/ops/requests?route=/r/{name}&reason=slow")).text
    shown = (await operator.get(f"/ops/requests/{name}")).text
    for told in (text, "work/queries/x.py:4 each", "N+1", "tasks:expired × 2", "99,000 ms"):
        assert told in shown
