"""Closed, reading only, and open again: what each lets through, on the wire and in the database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from tests.accounts.browser import PASSWORD, Browser, as_ops, make_person
from tests.factories import Firm
from tests.kit.bed import until
from zena.accounts.closed import OPEN_ROUTES, SESSION_ROUTES
from zena.accounts.doorman import Keeper
from zena.accounts.permissions import Role
from zena.kit.db import set_json_codecs
from zena.kit.embedded import ClusterUrls
from zena.kit.maintenance import Mode, Standing
from zena.kit.queue import JobWork, enqueue
from zena.kit.queue.worker import run_worker
from zena.kit.realtime import Entrant
from zena.kit.realtime.mailbox import Mailbox
from zena.kit.realtime.member import Member
from zena.kit.registry import JobSpec, Registry
from zena.kit.state import State
from zena.kit.uow import unit_of_work
from zena.main import create_app, routes_of
from zena.operate.cli.changes import _lines as change_lines
from zena.operate.maintenance.standing import Declared, declare
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests

Declare = Callable[[Standing], Coroutine[Any, Any, Declared]]
READ_ONLY = Standing(Mode.READ_ONLY, "Back at 22:00.", 90)
DOWN = Standing(Mode.DOWN, "", 600)
TASKS, PROJECTS, STREAM = "/api/v1/app/tasks", "/api/v1/app/projects", "/api/v1/app/events"


@asynccontextmanager
async def as_operations(urls: ClusterUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    conn = await asyncpg.connect(urls.ops)
    await set_json_codecs(conn)
    yield conn
    await conn.close()


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    async with as_operations(urls) as conn:
        yield conn


@pytest.fixture
async def to(urls: ClusterUrls, state: State) -> AsyncIterator[Declare]:
    """Declare a standing, and wait until this process follows it; open again in the end."""

    async def declared(standing: Standing) -> Declared:
        async with as_operations(urls) as conn:
            done = await declare(conn, standing, actor="test")

        async def follows() -> bool:
            return state.gate.mode is standing.mode

        await until(follows)
        return done

    yield declared
    await declared(Standing())


async def test_read_only_reads_go_on_and_changes_are_refused(
    to: Declare, http: httpx.AsyncClient, firm: Firm, urls: ClusterUrls
) -> None:
    owner = firm.client(http)
    await to(READ_ONLY)
    page = await owner.get("/projects")
    assert page.status_code == 200
    assert "Changes are switched off for the moment; reading works. Back at 22:00." in page.text
    assert (await owner.get(TASKS)).status_code == 200
    refused = await owner.post(PROJECTS, json={"name": "Bridge"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "90")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.json()["code"], refused.json()["ok"]) == ("MAINTENANCE", False)
    form = await owner.post("/profile", data={"name": "x"}, headers={"accept": "text/html"})
    assert form.status_code == 503
    assert "Back at 22:00." in form.text
    conn = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await conn.execute("INSERT INTO ops.series (metric, label) VALUES ('x', 'x')")
    finally:
        await conn.close()
    await to(Standing())
    assert (await owner.post(PROJECTS, json={"name": "Bridge"})).status_code == 201
    assert "switched off" not in (await owner.get("/projects")).text


async def test_sessions_tickets_and_measuring_go_on_while_changes_are_off(
    to: Declare, http: httpx.AsyncClient, firm: Firm, state: State
) -> None:
    person = await make_person(state, firm)
    owner = firm.client(http)
    await to(READ_ONLY)
    browser = Browser(create_app(state))
    assert (await browser.sign_in(person)).status_code == 200
    assert await browser.is_signed_in()
    ticket = (await owner.post("/api/v1/auth/ticket")).json()["ticket"]
    assert (await Keeper(state.db).by_ticket(ticket)).scope.tenant == firm.tenant
    assert await Flusher(state, Recorder(Requests()), "test").flush()
    wrong = await http.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD + "x"})
    assert wrong.status_code == 401


async def test_closed_to_everybody_but_operators(
    to: Declare, http: httpx.AsyncClient, firm: Firm, state: State
) -> None:
    owner, other = firm.client(http), firm.client(http, "member")
    await as_ops(state, "UPDATE user_account SET is_operator = true WHERE id = :u", u=firm.people[Role.OWNER].user)
    await to(DOWN)
    for path in ("/projects", "/profile", TASKS, "/api/v1/me"):
        refused = await other.get(path)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "600"), path
        assert (await owner.get(path)).status_code == 200, path
    nobody = await http.get("/reset", headers={"accept": "text/html"})
    assert (nobody.status_code, "closed for maintenance" in nobody.text) == (503, True)
    assert (await http.get(TASKS, headers={"authorization": "Bearer nonsense"})).status_code == 503
    assert (await owner.post(PROJECTS, json={"name": "Seen to work"})).status_code == 201
    assert "closed for maintenance" in (await http.get("/sign-in")).text
    assert (await http.get("/sign-in/link/nonsense")).status_code != 503
    for path in ("/api/v1/health", "/api/v1/health/ready", "/api/v1/health/live"):
        assert (await http.get(path)).status_code == 200
    here = httpx.ASGITransport(app=create_app(state), client=("127.0.0.1", 4711))
    async with httpx.AsyncClient(transport=here, base_url="http://localhost:8000") as local:
        assert (await local.get("/api/v1/metrics")).status_code == 200


async def test_sockets_stay_while_reading_and_are_sent_away_when_closed(
    to: Declare, http: httpx.AsyncClient, firm: Firm, state: State
) -> None:
    assert state.hub is not None
    hub, ended = state.hub, []

    async def send(_: str) -> None:
        return

    loop, entrant = asyncio.get_running_loop(), Entrant(firm.scope(), firm.people[Role.OWNER].session)
    mailbox = Mailbox(send, lambda: None, hub.limits)
    member = Member(entrant, mailbox, lambda *told: ended.append(told), loop.time(), loop.time())
    member.must_speak = False
    await hub.join(member)
    try:
        await to(READ_ONLY)
        assert ended == []
        await to(DOWN)
        assert (1013, "maintenance") in ended
    finally:
        hub.leave(member)
    with pytest.raises(Exception, match="Closed for maintenance"):
        await hub.join(member)
    await to(READ_ONLY)
    await hub.join(member)
    hub.leave(member)


async def test_it_is_recorded_once_and_in_no_firms_log(
    to: Declare, ops: "asyncpg.Connection[asyncpg.Record]", firm: Firm
) -> None:
    logs = "SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM audit_entry)"
    changes = "SELECT what, actor, before, after FROM ops.change WHERE kind = 'maintenance' AND id > $1 ORDER BY id"
    before = await ops.fetchval(logs)
    last = await ops.fetchval("SELECT coalesce(max(id), 0) FROM ops.change")
    assert (await to(READ_ONLY)).changed
    again = await to(READ_ONLY)
    assert (again.changed, again.before.mode, again.cut) == (False, Mode.READ_ONLY, 0)
    await to(Standing())
    rows = [tuple(row) for row in await ops.fetch(changes, last)]
    told = {"mode": "read_only", "message": "Back at 22:00.", "retry_after": 90}
    assert rows == [
        ("changes switched off", "test", {"mode": "up"}, told),
        ("opened", "test", told, {"mode": "up"}),
    ]
    assert await ops.fetchval(logs) == before


async def test_old_connections_end_and_running_transactions_may_finish(
    to: Declare, urls: ClusterUrls, state: State
) -> None:
    idle, busy = await asyncpg.connect(urls.app), await asyncpg.connect(urls.app)
    try:
        async with busy.transaction():
            await busy.execute("INSERT INTO ops.series (metric, label) VALUES ('before', 'down')")
            declaring = asyncio.create_task(to(DOWN))

            async def is_declared() -> bool:
                return state.gate.mode is Mode.DOWN

            await until(is_declared)
        assert (await declaring).cut == 0
        for conn in (idle, busy):
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await conn.execute("INSERT INTO ops.series (metric, label) VALUES ('after', 'down')")
    finally:
        for conn in (idle, busy):
            conn.terminate()


async def test_two_at_once_leave_one_of_both(
    to: Declare, urls: ClusterUrls, ops: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with as_operations(urls) as other:
        both = await asyncio.gather(declare(ops, READ_ONLY, actor="one"), declare(other, DOWN, actor="two"))
        assert {one.now.mode for one in both} == {Mode.READ_ONLY, Mode.DOWN}
        assert Mode.UP in {one.before.mode for one in both}
        stands = await ops.fetchval("SELECT mode FROM ops.maintenance")
        default = await ops.fetchval(
            "SELECT setconfig FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole"
            " JOIN pg_database d ON d.oid = setdatabase WHERE rolname = 'zena_app' AND datname = current_database()"
        )
        assert stands in {"read_only", "down"}
        assert "default_transaction_read_only=on" in default


def test_a_change_of_a_list_is_shown() -> None:
    made = {"at": datetime(2026, 3, 1, tzinfo=UTC), "kind": "remedy", "what": "cache clear", "actor": "an@vm"}
    shown = change_lines(made | {"before": None, "after": {"families": ["tasks"], "firms": 2}})
    assert shown[1:] == ["    families: - -> ['tasks']", "    firms: - -> 2"]


@pytest.mark.parametrize("role", ["app", "ops_read", "backup", "owner"])
async def test_only_ops_may_declare(role: str, urls: ClusterUrls) -> None:
    conn = await asyncpg.connect(getattr(urls, role))
    try:
        if role == "owner":  # owns the table, but may not speak for the app role
            refused = "ALTER ROLE zena_app SET default_transaction_read_only = on"
        else:
            refused = "UPDATE ops.maintenance SET mode = 'down'"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(refused)
    finally:
        await conn.close()


async def test_every_exception_is_a_route_there_is(state: State) -> None:
    known = {path for _, path, _ in routes_of(state)}
    assert known >= SESSION_ROUTES | OPEN_ROUTES


async def test_jobs_wait_until_it_is_open_again(
    to: Declare, urls: ClusterUrls, firm: Firm, ops: "asyncpg.Connection[asyncpg.Record]", state: State
) -> None:
    """A real worker over the same database: nothing is taken, what runs is put back and costs no attempt."""
    ran: list[int] = []

    async def write(work: JobWork) -> None:
        ran.append(work.attempt)
        if len(ran) == 1:
            await to(READ_ONLY)  # in the middle of a job
        async with work.transaction() as (session, _):
            await session.execute(text("UPDATE tenant SET name = name"))

    registry, stop = Registry(), asyncio.Event()
    registry.jobs["test.write"] = JobSpec("test.write", write, attempts=1)
    await ops.execute("DELETE FROM queue.pgqueuer")
    running = asyncio.create_task(run_worker(state, registry, stop))
    try:
        async with unit_of_work(state.db) as session:
            await enqueue(session, firm.tenant, "test.write")

        async def is_put_back() -> bool:
            status = await ops.fetchval("SELECT status FROM queue.pgqueuer WHERE entrypoint = 'test.write'")
            return len(ran) == 1 and state.gate.mode is Mode.READ_ONLY and status == "queued"

        await until(is_put_back, 20)
        await ops.execute("UPDATE queue.pgqueuer SET execute_after = now()")
        await asyncio.sleep(3)
        assert ran == [1]
        await to(Standing())

        async def is_done() -> bool:
            return not await ops.fetchval("SELECT count(*) FROM queue.pgqueuer WHERE entrypoint = 'test.write'")

        await until(is_done, 20)
        assert ran == [1, 1]
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)


async def test_everything_that_can_be_read_can_be_read_while_changes_are_off(
    to: Declare, http: httpx.AsyncClient, firm: Firm, state: State
) -> None:
    """No page or list writes on its way, which the database would refuse."""
    owner = firm.client(http)
    paths = [path for method, path, _ in routes_of(state) if method == "GET" and "{" not in path]
    before = {path: (await owner.get(path)).status_code for path in paths if path != STREAM}
    await to(READ_ONLY)
    after = {path: (await owner.get(path)).status_code for path in before}
    assert after == before
