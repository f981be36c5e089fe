"""The installation uses itself: a way through it each minute, and a symptom for the step at which it fails."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.faults.installation import free_port
from tests.kit.pg import ask, open_folder
from tests.operate.site import Site, until
from tests.operate.watched import Day, own_day
from zena.kit.db import set_json_codecs
from zena.kit.embedded import ClusterUrls, urls_of_running
from zena.kit.logs.errors import Kind
from zena.kit.state import State
from zena.main import build_state, create_app, started
from zena.operate.isolation.verify import trying
from zena.operate.logs import groups
from zena.operate.sentinel.errand import KIND, STAGE, send
from zena.operate.sentinel.house import person
from zena.operate.sentinel.journey import STAGES, Outcome, address_of, live_of
from zena.operate.sentinel.store import keep, stages
from zena.operate.symptoms import q1_backlog
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Reading
from zena.settings import Settings

AT = datetime(2031, 9, 10, 3, 0, tzinfo=UTC)
OF = {"sign_in": "U1", "page": "X1", "socket": "W1", "task": "A2", "delivery": "W2"}


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(urls.ops)
    await set_json_codecs(conn)
    yield conn
    await conn.execute("DELETE FROM ops.sentinel")
    await conn.close()


@pytest.fixture
async def day(state: State, urls: ClusterUrls) -> AsyncIterator[Day]:
    async with own_day(state, urls.ops, AT) as made:
        yield made


async def reading(day: Day, stage: str) -> Reading | None:
    found = await BY_ID[OF[stage]].watch(await day.look())
    return next((one for one in found if one.scope == "sentinel"), None)


@pytest.mark.parametrize("stage", STAGES)
async def test_the_third_failure_in_a_row_is_told_and_one_that_was_not_tried_tells_nothing(
    day: Day, ops: Any, stage: str
) -> None:
    assert await reading(day, stage) is None, "it never went"
    for number in range(3):
        await keep(ops, [Outcome(stage, ok=False, ms=9.0, says="answered 503")], day.now)
        found = await reading(day, stage)
        assert found is not None
        assert (found.over, found.calm) == (number == 2, False)
        day.later(minutes=1)
    assert found is not None
    diagnosis = await BY_ID[OF[stage]].diagnose(await day.look(), found)
    assert "unanswered" in {one.cause for one in diagnosis.causes} <= BY_ID[OF[stage]].causes | {"recent_change"}
    assert "3 times in a row since 03:00:00: answered 503" in found.says
    await keep(ops, [Outcome(stage, ok=True, ms=9.0)], day.now)
    found = await reading(day, stage)
    assert found is not None
    assert (found.over, found.calm, found.value) == (False, True, 0.0)
    day.later(minutes=4)
    found = await reading(day, stage)
    assert found is not None
    assert found.over is None, "no data is not health"


async def test_its_firm_is_nobodys_and_made_anew_with_its_record_each_week(settings: Settings, ops: Any) -> None:
    made, other = build_state(settings), build_state(settings)
    async with started(made), started(other):
        first = await person(made, ops)
        assert await person(made, ops, first) is first
        again = await person(made, ops)
        assert (again.firm, again.password != first.password) == (first.firm, True), "another process chooses its own"
        async with trying(other, create_app) as trial:
            assert first.firm not in {trial.mine.firm.id, trial.other.firm.id}
        assert (await person(made, ops)).firm == first.firm, "who tries firms on each other leaves it alone"
        await ops.execute("UPDATE tenant SET created_at = created_at - interval '8 days' WHERE id = $1", first.firm)
        assert (await person(made, ops)).firm != first.firm
        assert not await ops.fetchval("SELECT count(*) FROM tenant WHERE id = $1", first.firm)


async def test_a_job_that_waits_is_told_until_it_is_done(state: State, ops: Any) -> None:
    log = "INSERT INTO queue.pgqueuer_log (job_id, status, entrypoint, priority, created)"
    log += " VALUES ($1, $2::text::queue.pgqueuer_status, $3, 0, $4)"
    forget = [f"DELETE FROM queue.{table} WHERE entrypoint = $1" for table in ("pgqueuer", "pgqueuer_log", "paused")]  # noqa: S608 - names of ours
    try:
        await ops.execute("INSERT INTO queue.paused (entrypoint, reason) VALUES ($1, 'x')", KIND)
        assert await send(state, ops) is None
        assert not await ops.fetchval("SELECT count(*) FROM queue.pgqueuer WHERE entrypoint = $1", KIND)
        await ops.execute(forget[2], KIND)
        assert await send(state, ops) is None, "it is the first"
        waits = await send(state, ops)
        assert waits is not None
        assert (waits.stage, waits.ok) == (STAGE, False)
        assert (
            await ops.fetchval("SELECT jsonb_typeof(headers) FROM queue.pgqueuer WHERE entrypoint = $1", KIND)
            == "object"
        )
        job = await ops.fetchval("DELETE FROM queue.pgqueuer WHERE entrypoint = $1 RETURNING id", KIND)
        at = datetime.now(UTC) + timedelta(hours=1)
        for status, later in (("queued", 0), ("picked", 30), ("successful", 40)):
            await ops.execute(log, job, status, KIND, at + timedelta(milliseconds=later))
        await ops.execute("DELETE FROM queue.pgqueuer_log WHERE job_id = $1 AND created < $2", job, at)
        done = await send(state, ops)
        assert done == Outcome(STAGE, ok=True, ms=40.0)
    finally:
        for statement in forget:
            await ops.execute(statement, KIND)


async def test_a_job_of_another_shape_is_refused_for_no_worker_could_read_the_queue(ops: Any) -> None:
    wrong = "INSERT INTO queue.pgqueuer (priority, status, entrypoint, headers, created, execute_after)"
    with pytest.raises(asyncpg.CheckViolationError, match="ck_pgqueuer_headers"):
        await ops.execute(wrong + " VALUES (0, 'queued', 'test.shape', $1, now(), now())", "{}")


async def test_a_worker_that_fails_as_it_takes_jobs_is_named_with_its_error(day: Day) -> None:
    kind = Kind("ERROR", "f00d", "ValueError", "zena.kit.queue.queries:WorkerQueries.dequeue", "jobs", "worker failed",
                day.now, day.now, hours={day.now: 4})  # fmt: skip
    crew = {"alive": 1, "silent": 0, "connections": 2}
    rows = [{"kind": "a.b", "waiting": 3, "runs": 0, "running": 2, "mean_ms": None, "paused": None}]
    found = Reading("", over=True, calm=False, says="3 jobs wait", facts={"kinds": rows, "workers": crew})
    try:
        assert (await q1_backlog.diagnose(await day.look(), found)).cause == "stuck"
        await groups.store(day.conn, [kind])
        why = await q1_backlog.diagnose(await day.look(), found)
        assert (why.cause, "WorkerQueries.dequeue" in why.causes[0].says) == ("worker_fails", True)
    finally:
        await day.conn.execute("DELETE FROM ops.error_hour WHERE fingerprint = 'f00d'")
        await day.conn.execute("DELETE FROM ops.error_group WHERE fingerprint = 'f00d'")


def test_it_goes_where_the_processes_listen_or_where_it_is_told_to(settings: Settings) -> None:
    def at(**values: Any) -> tuple[str, str]:
        found = settings.model_copy(update=values)
        return address_of(found), live_of(found)

    here = {"host": "0.0.0.0", "port": 8000, "websocket_processes": 0, "sentinel": "auto"}  # noqa: S104 - only named
    assert at(**here) == ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/ws")
    own = here | {"websocket_processes": 1, "websocket_port": 8080}
    assert at(**own) == ("http://127.0.0.1:8000", "ws://127.0.0.1:8080/ws")
    told = own | {"sentinel": "https://zena.example/"}
    assert at(**told) == ("https://zena.example", "wss://zena.example/ws")


@contextmanager
def quick() -> Iterator[Site]:
    """An installation at a twentieth of the pace, with a process for sockets alone."""
    with open_folder("zy-") as folder:
        settings: dict[str, object] = {
            "ZENA_ENV": "lab", "ZENA_PACE": 0.05, "ZENA_SENTINEL": "auto", "ZENA_AUTOMATIC": "none",
            "ZENA_PORT": free_port(), "ZENA_WEBSOCKET_PROCESSES": 1, "ZENA_WEBSOCKET_PORT": free_port(),
        }  # fmt: skip
        site = Site(folder, settings)
        with site.serving("--demo"):
            yield site


@pytest.mark.proof
def test_a_fault_is_seen_where_nobody_works_by_the_step_at_which_it_stops() -> None:
    with quick() as site:
        urls = urls_of_running(site.folder)
        assert urls is not None

        def walked() -> dict[str, Any]:
            return asyncio.run(_stages(urls.ops))

        until(lambda: walked().keys() == {*STAGES, STAGE}, 60)
        assert all(one["ok"] for one in walked().values()), walked()
        assert "sentinel" not in site.run("tenant", "list").out
        assert "sentinel   sign_in " in site.run("status").out
        print({name: one["ms"] for name, one in walked().items()})

        rename = "ALTER TABLE user_account RENAME COLUMN {} TO {}"
        ask(urls.owner, rename.format("password_hash", "hash"), "SELECT 1")
        try:
            until(lambda: opened(site) == {"U1": "schema_behind"}, 60)
        finally:
            ask(urls.owner, rename.format("hash", "password_hash"), "SELECT 1")
        until(lambda: opened(site) == {} and walked()["delivery"]["ok"], 60)

        ask(urls.owner, "REVOKE UPDATE ON task FROM zena_app", "SELECT 1")
        try:
            until(lambda: "A2" in opened(site), 60)
        finally:
            ask(urls.owner, "GRANT UPDATE ON task TO zena_app", "SELECT 1")
        letters = "SELECT count(*) FROM queue.pgqueuer_log WHERE entrypoint LIKE 'accounts.mail%'"
        assert ask(urls.superuser, letters) == 0, "nobody writes to an address that nobody has"
        left = (
            "SELECT count(*) FROM session s JOIN user_account u ON u.id = s.user_id WHERE u.email LIKE '%@sentinel-%'"
        )
        assert ask(urls.superuser, left + " AND s.revoked_at IS NULL") <= 1, "it signs out, but for the one under way"


async def _stages(url: str) -> dict[str, Any]:
    conn = await asyncpg.connect(url)
    try:
        return await stages(conn)
    finally:
        await conn.close()


def opened(site: Site) -> dict[str, str]:
    """Return open incidents of the sentinel: symptom and cause."""
    found = json.loads(site.run("incident", "list", "--json").out or "[]")
    return {one["symptom"]: one["cause"] for one in found if one["scope"] == "sentinel"}
