"""Counting: exact where alarms are decided, within 2% where a curve is drawn; kept requests; what survives."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.conformance.crawl import routes
from tests.factories import Firm
from tests.factories.visits import visiting
from zena.accounts.permissions import Role
from zena.accounts.queries.audit import verify_chain
from zena.kit.db import Raw, raw
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.logs import log_state
from zena.kit.state import State
from zena.kit.tally import REPEATED
from zena.kit.uow import tenant_work
from zena.operate.metrics.read import Measured, read_series
from zena.operate.metrics.report import report
from zena.operate.telemetry import flush
from zena.operate.telemetry.cells import Series
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import BATCH, LABELS, MINUTES, SIGN_IN, Recorder, fingerprint_of, normal
from zena.operate.telemetry.requests import Requests
from zena.operate.telemetry.ring import MOST, Ring, read_rings
from zena.operate.telemetry.running import listen
from zena.operate.telemetry.sketch import ACCURACY, bin_of, merged, quantile, value_of
from zena.work.queries.labels import all_labels

APP = "/api/v1/app"


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_is_within_two_per_cent_of_the_exact_one(share: float) -> None:
    dice = random.Random(7)  # noqa: S311 - the same durations at each run
    durations = sorted(dice.lognormvariate(1.5, 1.2) for _ in range(20_000))
    counts = merged([([bin_of(ms)], [1]) for ms in durations])
    exact = durations[round(share * len(durations) + 0.5) - 1]
    found = quantile(counts, share)
    assert found is not None
    assert abs(found - exact) <= ACCURACY * exact * 1.001
    assert quantile({}, share) is None


@pytest.mark.parametrize("ms", [0.0, 0.0005, 0.001, 1.0, 17.3, 86_400_000.0])
def test_each_duration_lies_in_its_bin(ms: float) -> None:
    assert abs(value_of(bin_of(ms)) - max(ms, 0.001)) <= ACCURACY * max(ms, 0.001) * 1.001


def recorder(now: float = 600.0) -> tuple[Recorder, list[float]]:
    clock = [now]
    return Recorder(Requests(), lambda: clock[0]), clock


def test_requests_count_against_the_threshold_of_their_family() -> None:
    made, _ = recorder()
    with visiting("somebody"):
        for route, seconds, status in [
            ("/dashboard", 0.499, 200), ("/dashboard", 0.501, 200), ("/dashboard", 0.9, 500),
            ("/api/v1/app/tasks", 0.299, 200), ("/api/v1/app/tasks", 0.301, 404), ("/api/v1/health", 3.0, 200),
        ]:  # fmt: skip
            made.request(route, "GET", status, seconds)
    with visiting():
        made.request("/dashboard", "GET", 303, 0.001)
    [(minute, cells)] = list(made.minutes())
    assert minute == 10
    counts = {series: (cell.n, cell.bad, cell.slow) for series, cell in cells.items()}
    assert counts == {
        Series("http.dashboard", "GET /dashboard"): (3, 1, 1),
        Series("http.api", "GET /api/v1/app/tasks"): (2, 0, 1),
        Series("http.anonymous", "GET /dashboard"): (1, 0, 0),
        Series("http.own", "GET /api/v1/health"): (1, 0, 1),
    }


async def test_where_people_sign_in_are_addresses_that_there_are(state: State) -> None:
    assert {f"{route.method} {route.path}" for route in routes(state, safe=False)} >= SIGN_IN


def test_a_delivery_later_than_two_seconds_is_slow() -> None:
    made, _ = recorder()
    for seconds in (0.02, 1.99, 2.01):
        made.delivered(seconds)
    [(_, cells)] = list(made.minutes())
    assert (cells[Series("ws.delivery", "outbox")].n, cells[Series("ws.delivery", "outbox")].slow) == (3, 1)


def test_too_many_labels_become_other_and_too_many_minutes_are_lost_and_told() -> None:
    made, clock = recorder()
    for number in range(LABELS + 10):
        made.observe("query", str(number), 1)
    cells = dict(made.minutes())[10]
    assert len(cells) == LABELS + 1
    assert cells[Series("query", "other")].n == 10
    for _ in range(MINUTES):
        clock[0] += 60
        made.observe("query", "x", 1)
    assert (len(list(made.minutes())), made.lost) == (MINUTES, 1)
    made.forget(10 + MINUTES)
    assert [minute for minute, _ in made.minutes()] == [10 + MINUTES]


def test_statements_are_named_without_their_values() -> None:
    one, two = (
        "SELECT *\n FROM task  WHERE id IN ($1, $2, $3)",
        "SELECT * FROM task WHERE id IN ($1::uuid, $2::uuid, $3, $4)",
    )
    assert normal(one) == normal(two) == "SELECT * FROM task WHERE id IN ($..)"
    assert fingerprint_of(normal(one)) == fingerprint_of(normal(two)) != fingerprint_of("SELECT 1")


async def written(state: State, urls: ClusterUrls, label: str) -> Measured:
    """What the database has of one page just now."""
    now = state.clock.now()
    conn = await asyncpg.connect(urls.ops_read)
    try:
        found = await read_series(conn, ["http.page"], now - timedelta(minutes=3), now + timedelta(minutes=2))
    finally:
        await conn.close()
    [one] = [one for one in found if one.label == label]
    return one


async def caller_of(urls: ClusterUrls, text: str) -> Any:
    conn = await asyncpg.connect(urls.ops_read)
    try:
        return await conn.fetchval("SELECT caller FROM ops.statement WHERE fingerprint = $1", fingerprint_of(text))
    finally:
        await conn.close()


async def test_a_flush_writes_each_minute_once_however_often_it_is_called(state: State, urls: ClusterUrls) -> None:
    made, _ = recorder(state.clock.now().timestamp())
    flusher = Flusher(state, made, "test")
    label = f"GET /{flusher.process}"
    for ms in (10.0, 20.0, 700.0):
        made.observe("http.page", label, ms, slow=ms > 500)
    assert await flusher.flush()
    made.observe("http.page", label, 30.0, bad=True)
    assert await flusher.flush()
    assert await flusher.flush()
    one = await written(state, urls, label)
    assert (one.n, one.bad, one.slow, one.total, one.peak) == (4, 1, 1, 760.0, 700.0)
    assert sum(one.sketch.values()) == 4
    conn = await asyncpg.connect(urls.ops_read)
    try:
        assert await conn.fetchval("SELECT role FROM ops.heartbeat WHERE process = $1", flusher.process) == "test"
    finally:
        await conn.close()


async def test_a_look_back_of_any_length_holds_what_is_not_merged_yet(state: State, urls: ClusterUrls) -> None:
    made, _ = recorder(state.clock.now().timestamp())
    flusher = Flusher(state, made, "test")
    family = f"f{flusher.process.hex}"
    made.cache(family, "cold")
    assert await flusher.flush()
    conn = await asyncpg.connect(urls.ops_read)
    for minutes in (1, 60, 24 * 60, 3 * 24 * 60):
        found = await report(conn, state.clock.now(), timedelta(minutes=minutes), ["cache"])
        assert [one["misses"] for one in found["cache"]["families"] if one["family"] == family] == [{"cold": 1}]
    await conn.close()


async def test_what_the_database_does_not_take_is_written_later(state: State, urls: ClusterUrls) -> None:
    made, _ = recorder(state.clock.now().timestamp())
    flusher = Flusher(state, made, "test")
    label = f"GET /{flusher.process}"
    made.observe("http.page", label, 5.0)
    right, flusher._url = flusher._url, "postgresql://nobody@/nothing?host=/nowhere"
    assert not await flusher.flush()
    assert flusher.failures == 1
    made.observe("http.page", label, 6.0)
    flusher._url = right
    assert await flusher.flush()
    assert (await written(state, urls, label)).n == 2


async def test_counting_goes_on_while_it_is_written(
    state: State, urls: ClusterUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A route first asked for while the names of others are being looked up: nothing may fail, nothing be lost."""
    made, _ = recorder(datetime.now(UTC).timestamp())
    flusher = Flusher(state, made, "test")
    learn = flusher._learn_ids

    async def learn_and_count(conn: Raw, wanted: set[Series]) -> None:
        await learn(conn, wanted)
        made.observe("late", "comer", 1)

    made.observe("early", "bird", 1)
    monkeypatch.setattr(flusher, "_learn_ids", learn_and_count)
    assert await flusher.flush()
    monkeypatch.undo()
    assert await flusher.flush()
    counted = (
        "SELECT n FROM ops.point p JOIN ops.series s ON s.id = p.series_id WHERE s.metric = 'late' AND process = $1"
    )
    conn = await asyncpg.connect(urls.ops_read)
    try:
        assert await conn.fetchval(counted, flusher.process) == 1
    finally:
        await conn.close()


async def test_a_series_first_met_in_a_flush_that_failed_is_counted_by_the_next(
    state: State, urls: ClusterUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = recorder(datetime.now(UTC).timestamp())
    flusher = Flusher(state, made, "test")
    label = f"GET /{flusher.process}"
    made.observe("http.page", label, 5.0)

    def refused() -> None:
        raise asyncpg.DeadlockDetectedError

    monkeypatch.setattr(flush, "log_state", refused)  # what is asked for in the middle of the transaction
    assert not await flusher.flush()
    monkeypatch.undo()
    assert await flusher.flush()
    assert (await written(state, urls, label)).n == 1


async def test_a_caller_learnt_while_its_statement_is_written_is_written_next(
    state: State, urls: ClusterUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = recorder(datetime.now(UTC).timestamp())
    flusher, text = Flusher(state, made, "test"), "SELECT 1 /* slow while it is written */"

    def learn() -> Any:
        made._known(text).caller = "work/queries/labels.py:12 all_labels"
        return log_state()

    made.query(text, 0.001)
    monkeypatch.setattr(flush, "log_state", learn)
    assert await flusher.flush()
    monkeypatch.undo()
    assert await flusher.flush()
    assert await caller_of(urls, text) == "work/queries/labels.py:12 all_labels"


async def test_where_a_statement_comes_from_is_learnt_when_it_first_is_slow(state: State, urls: ClusterUrls) -> None:
    made, _ = recorder(datetime.now(UTC).timestamp())
    flusher, text = Flusher(state, made, "test"), "SELECT 1 /* seen often before it is slow */"
    made.query(text, 0.001)
    assert await flusher.flush()
    known = made._known(text)
    known.caller = "work/queries/labels.py:12 all_labels"  # what _ask_caller finds out at the first slow one
    made.fresh[known.fingerprint] = known
    assert await flusher.flush()
    assert await caller_of(urls, text) == known.caller


async def test_a_fault_of_ours_does_not_end_measuring(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = recorder(datetime.now(UTC).timestamp())
    flusher = Flusher(state, made, "test")

    async def broken(*_: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(flusher, "_write", broken)
    assert not await flusher.flush()
    monkeypatch.undo()
    assert await flusher.flush()


async def test_the_app_role_writes_measurements_and_cannot_read_requests(urls: ClusterUrls) -> None:
    conn = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("SELECT * FROM ops.request")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("DELETE FROM ops.point")
    finally:
        await conn.close()


async def test_a_refused_request_is_kept_with_its_statements_and_shown_to_operators_only(
    state: State, firm: Firm, http: httpx.AsyncClient, urls: ClusterUrls
) -> None:
    made = Recorder(Requests())
    listen(state, made)
    flusher = Flusher(state, made, "test")
    member, person = firm.client(http), firm.people[Role.OWNER].user
    try:
        answer = await firm.client(http, "viewer").post(f"{APP}/labels", json={"name": "Mine"})
        assert answer.status_code == 403
        request_id = answer.headers["x-request-id"]
        assert await flusher.flush()
    finally:
        for hooks in (state.telemetry.on_request, state.telemetry.on_query, state.telemetry.on_job,
                      state.telemetry.on_cache, state.telemetry.on_wait):  # fmt: skip
            hooks.pop()
        state.cache.shadow.listeners.pop()
    url = f"/api/v1/observability/request/{request_id}"
    assert (await member.get(url)).status_code == 403
    assert (await http.get(url)).status_code == 401
    conn = await asyncpg.connect(urls.ops)
    try:
        await conn.execute("UPDATE user_account SET is_operator = true WHERE id = $1", person)
        seen = (await member.get(url)).json()
    finally:
        await conn.execute("UPDATE user_account SET is_operator = false WHERE id = $1", person)
        await conn.close()
    assert (seen["route"], seen["status"], seen["tenant"]) == (f"{APP}/labels", 403, str(firm.tenant))
    assert seen["facts"]["queries"] >= 1
    assert any("gate.enter" in one["text"] for one in seen["facts"]["statements"])


@pytest.mark.parametrize(("way", "room"), [("raw", "work/queries/labels.py:"), ("orm", "accounts/queries/audit.py:")])
async def test_a_statement_sent_again_and_again_is_traced_to_its_caller(
    state: State, firm: Firm, way: str, room: str
) -> None:
    state.telemetry.on_query.append(lambda _text, _seconds: None)
    scope = firm.scope()
    try:
        with visiting() as visit:
            async with tenant_work(state.db, scope) as session:
                for _ in range(REPEATED):
                    await (
                        all_labels(await raw(session), scope) if way == "raw" else verify_chain(session, scope.tenant)
                    )
    finally:
        state.telemetry.on_query.pop()
    callers = [sent.caller for sent in visit.tally.statements.values() if sent.times >= REPEATED]
    assert callers
    assert all(found is not None and found.startswith(room) for found in callers), callers


def test_the_ring_keeps_the_last_and_a_torn_line_harms_nothing(tmp_path: Path) -> None:
    made, _ = recorder()
    ring = Ring(tmp_path / "telemetry", "web-1")
    ring.open()
    with visiting():
        made.request("/dashboard", "GET", 500, 0.1)
    made.settle()
    [record] = made.requests.take()
    for _ in range(2 * MOST + 1):
        ring.write([record])
    assert len(ring.path.read_bytes().splitlines()) == MOST
    with ring.path.open("ab") as file:
        file.write(b'{"torn')
    found = list(read_rings(ring.path.parent))
    assert len(found) == MOST
    assert {one["process"] for one in found} == {"web-1"}
    assert ring.path.stat().st_mode & 0o777 == 0o640


def test_what_is_noted_within_a_minute_counts_in_it_however_late_it_is_counted() -> None:
    made, clock = recorder()
    text = "SELECT 1 /* noted, not yet counted */"
    with visiting("somebody") as visit:
        visit.tenant = str(new_id())
        made.request("/api/v1/app/tasks", "GET", 200, 0.01)
        made.query(text, 0.002)
        made.cache("dashboard", "cold")
        clock[0] += 60
        made.request("/api/v1/app/tasks", "GET", 200, 0.01)
    minutes = {minute: {series: cell.n for series, cell in cells.items()} for minute, cells in made.minutes()}
    route, firm = Series("http.api", "GET /api/v1/app/tasks"), Series("tenant", visit.tenant)
    assert minutes == {
        10: {route: 1, firm: 1, Series("query", fingerprint_of(text)): 1, Series("cache", "dashboard"): 1,
             Series("cache.miss", "dashboard:cold"): 1},
        11: {route: 1, firm: 1},
    }  # fmt: skip


def test_many_requests_are_counted_between_two_ticks() -> None:
    made, _ = recorder()
    for _ in range(BATCH + 1):
        made.request("/imprint", "GET", 200, 0.01)
    assert len(made._requests) == 1
    [(_, cells)] = list(made.minutes())
    assert sum(cell.n for cell in cells.values()) == BATCH + 1


def test_a_quick_request_with_a_slow_statement_is_kept_for_it() -> None:
    made, _ = recorder()
    with visiting("somebody") as visit:
        visit.tally.query("SELECT 1", 0.11)
        made.request("/api/v1/app/tasks", "GET", 200, 0.2)
    made.settle()
    [record] = made.requests.take()
    assert (record.kept_for, record.facts["statements"][0]["times"]) == ("statement", 1)
