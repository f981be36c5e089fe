"""E1: what is logged where, what is counted as an error, and what happens when lines cannot be written."""

import asyncio
import json
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.factories import Firm
from tests.factories.visits import visiting
from tests.operate.console import make_operator
from tests.operate.log_files import everything, lines, logging_to, until
from zena.accounts.permissions import Role
from zena.kit.csrf import form_token
from zena.kit.embedded import ClusterUrls
from zena.kit.errors import RateLimited
from zena.kit.logs import ERRORS, get_logger, log_state
from zena.kit.logs.channels import channel_of
from zena.kit.logs.errors import MOST, Kind, kind_of, kind_of_exception, place_of, without_content
from zena.kit.measured import measured_connection
from zena.kit.refused import note_refusal
from zena.kit.state import State
from zena.kit.uow import unit_of_work
from zena.operate import changes
from zena.operate.logs import groups
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests

log = get_logger("zena.test")
WORD = "Tuyệt mật"


def fail(text: str = "") -> None:
    try:
        {"": 0}[f"no {text}"]
    except KeyError:
        log.exception("failed", code="BROKEN")


async def test_what_users_do_is_told_in_its_channel_with_request_and_firm(
    firm: Firm, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    owner, guest = firm.people[Role.OWNER], firm.people[Role.VIEWER]
    with logging_to(tmp_path):
        made = await firm.client(http).post(
            "/api/v1/app/projects",
            json={"name": WORD},
            headers={"x-zena-token": form_token(owner.form_secret)},
        )
        denied = await firm.client(http, Role.VIEWER).post(
            "/api/v1/app/projects",
            json={"name": WORD},
            headers={"x-zena-token": form_token(guest.form_secret)},
        )
        wrong = await http.post("/api/v1/auth/login", json={"email": "nobody@firm.test", "password": "x" * 12})
    assert (made.status_code, denied.status_code, wrong.status_code) == (201, 403, 401)
    [audit] = [line for line in lines(tmp_path, "audit") if line["event"] == "project.created"]
    assert audit["request_id"] == made.headers["x-request-id"]
    assert (audit["tenant"], audit["user"], audit["count"]) == (str(firm.tenant), str(owner.user), 1)
    refused, failed, again = lines(tmp_path, "security")
    assert (refused["code"], refused["status"], refused["user"]) == ("FORBIDDEN", 403, str(guest.user))
    assert refused["request_id"] == denied.headers["x-request-id"]
    assert (failed["event"], failed["reason"]) == ("sign-in failed", "no such account")
    assert UUID(failed["user"])  # as long as that of somebody: C07
    assert again["code"] == "INVALID_CREDENTIALS"
    access = {line["request_id"]: line for line in lines(tmp_path, "performance")}
    assert access[denied.headers["x-request-id"]]["code"] == "FORBIDDEN"
    written = everything(tmp_path)
    assert WORD.encode() not in written
    assert all({"request_id", "tenant", "user"} <= json.loads(line).keys() for line in written.splitlines())


def test_somebody_who_asks_too_often_gets_one_line_a_minute(tmp_path: Path) -> None:
    with logging_to(tmp_path), visiting() as visit:
        visit.client = f"203.0.113.{uuid4().int % 200}-{uuid4()}"
        for _ in range(50):
            note_refusal(visit, RateLimited(1), method="GET", route="/x")
    assert len(lines(tmp_path, "security")) == 1


@pytest.mark.parametrize(
    ("logger", "channel"),
    [("zena.requests", "performance"), ("zena.kit.queue.worker", "jobs"), ("zena.kit.queuefoo", "app"),
     ("pgqueuer", "jobs"), ("uvicorn.error", "app"), ("zena.audit", "audit"), ("", "app")],
)  # fmt: skip
def test_a_logger_decides_the_channel(logger: str, channel: str) -> None:
    assert channel_of(logger) == channel


def test_channels_have_their_own_severity_and_errors_count_all_the_same(tmp_path: Path) -> None:
    with logging_to(tmp_path, app="critical", performance="debug"):
        log.info("quiet")
        fail()
        get_logger("zena.requests").debug("request")
        get_logger("zena.jobs").debug("job started")
        counted = ERRORS.take()
    assert (lines(tmp_path, "app"), [one["event"] for one in lines(tmp_path, "performance")]) == ([], ["request"])
    assert lines(tmp_path, "jobs") == []
    [kind] = counted
    assert (kind.code, kind.what, kind.place, kind.count) == (
        "BROKEN",
        "KeyError",
        "tests.operate.test_logs:fail",
        1,
    )


async def test_a_failed_statement_is_placed_where_it_was_sent(state: State, urls: ClusterUrls) -> None:
    conn = await asyncpg.connect(urls.ops_read, connection_class=measured_connection(state.telemetry))
    with pytest.raises(asyncpg.DataError) as failed:
        await changes.listed(conn, state.clock.now(), kind=4)  # type: ignore[arg-type]  # what is not a text
    assert place_of(failed.tb) == "zena.operate.changes:listed"
    await conn.close()


async def test_an_error_of_the_database_is_named_by_the_driver_and_not_by_what_wraps_it(state: State) -> None:
    async with unit_of_work(state.db) as session:
        with pytest.raises(ProgrammingError) as failed:
            await session.execute(text("SELECT secret FROM user_account WHERE name = :name"), {"name": "Khoa"})
    kind = kind_of_exception("SERVER_ERROR", failed.value, "app")
    assert (kind.what, kind.message) == ("asyncpg.exceptions.UndefinedColumnError", "column '..' does not exist")


def test_one_failed_request_counts_once_and_numbers_make_no_kind(tmp_path: Path) -> None:
    with logging_to(tmp_path):
        with visiting():
            fail()
            get_logger("zena.requests").error("request", route="/x", status=500)
        with visiting():
            get_logger("zena.requests").error("request", route="/x", status=503, code="SERVICE_UNAVAILABLE")
        for number in range(3):
            logging.getLogger("a.library").error("task 0x%x of %d was lost", number, number)
        counted = {(kind.code, kind.what): kind.count for kind in ERRORS.take()}
    assert counted == {
        ("BROKEN", "KeyError"): 1,
        ("SERVICE_UNAVAILABLE", "request"): 1,
        ("ERROR", "task # of # was lost"): 3,
    }


def test_more_kinds_than_can_be_told_apart_are_one_more(tmp_path: Path) -> None:
    with logging_to(tmp_path):
        for number in range(MOST + 50):
            log.error("broken", code=f"CODE-{'x' * number}")
        counted = ERRORS.take()
    assert len(counted) == MOST + 1
    assert sum(kind.count for kind in counted) == MOST + 50


def test_a_folder_that_is_gone_costs_no_line_and_no_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, away = tmp_path / "logs", tmp_path / "away"
    with logging_to(folder, alone=True) as files:
        log.info("one")
        until(lambda: lines(folder, "app"))
        folder.rename(away)
        folder.write_bytes(b"a file where the folder was")
        log.info("two")
        log.info("three")
        until(lambda: files.held)
        assert "Not a directory" in str(log_state().trouble)
        until(lambda: '"event": "three"' in capsys.readouterr().err)
        folder.unlink()
        away.rename(folder)
        until(lambda: log_state().trouble is None and not files.held)
    events = [line["event"] for line in lines(folder, "app")]
    assert [event for event in events if event in {"one", "two", "three"}] == ["one", "two", "three"]
    assert any(event.startswith("log files not written") for event in events)
    assert "log files written again" in events


async def kinds(conn: asyncpg.Connection, code: str) -> dict[str, Any]:
    [one] = [one for one in await groups.grouped(conn, datetime.now(UTC) - timedelta(hours=2)) if one["code"] == code]
    return one


async def test_errors_of_all_processes_are_one_group(state: State, urls: ClusterUrls, tmp_path: Path) -> None:
    code, firms = f"BROKEN-{uuid4()}", [str(uuid4()) for _ in range(3)]
    flusher = Flusher(state, Recorder(Requests()), "web")
    reading = await asyncpg.connect(urls.ops_read)
    try:
        with logging_to(tmp_path):
            for tenant in firms:
                with visiting() as visit:
                    visit.tenant = tenant
                    log.error("it broke", code=code)
                assert await flusher.flush()
            await asyncio.gather(*(_store(urls, code) for _ in range(4)))
        one = await kinds(reading, code)
        assert (one["count"], one["recent"], sorted(one["tenants"])) == (7, 7, sorted(map(UUID, firms)))
        assert (one["request_id"], one["kept"], len(one["releases"])) == ("one", False, 1)
        assert one["first_seen"] < one["last_seen"]
    finally:
        await reading.close()


async def _store(urls: ClusterUrls, code: str) -> None:
    kind = kind_of(code, "it broke", "zena.test", "app")
    kind.add(datetime.now(UTC), None, None)
    conn = await asyncpg.connect(urls.app)
    try:
        async with conn.transaction():
            await groups.store(conn, [kind])
    finally:
        await conn.close()


async def test_what_a_firm_wrote_is_not_stored_and_the_app_role_reads_no_message(urls: ClusterUrls) -> None:
    said = f"duplicate key: Key (name)=({WORD}), not '{WORD}' nor \"{WORD}\", token=abc"
    assert without_content(said) == "duplicate key: Key (name)'..', not '..' nor '..', token=***"
    conn = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("SELECT message FROM ops.error_group")
    finally:
        await conn.close()


async def test_errors_wait_for_the_database_and_the_old_are_forgotten(urls: ClusterUrls) -> None:
    now = datetime.now(UTC)
    old, new = kind_of("OLD", "x", "y", "app"), kind_of("NEW", "x", "y", "app")
    for kind, at in ((old, now - timedelta(days=100)), (new, now)):
        kind.add(at, None, None)
    ERRORS.take()
    ERRORS.give_back([Kind(**{name: getattr(new, name) for name in Kind.__slots__})], after=now - timedelta(hours=6))
    again = kind_of("NEW", "x", "y", "app")
    again.add(now, "t", "r")
    ERRORS.give_back([again], after=now - timedelta(hours=6))
    [kept] = ERRORS.take()
    assert (kept.count, kept.tenants, kept.request_id) == (2, {"t"}, "r")
    conn = await asyncpg.connect(urls.ops)
    try:
        async with conn.transaction():
            await groups.store(conn, [old, new])
        await groups.drop_old(conn, now)
        found = {row["code"] for row in await conn.fetch("SELECT code FROM ops.error_group")}
    finally:
        await conn.close()
    assert "NEW" in found
    assert "OLD" not in found


async def test_the_console_shows_kinds_and_lines_without_what_was_said(
    state: State, firm: Firm, http: httpx.AsyncClient
) -> None:
    folder = state.settings.logs_path
    operator = await make_operator(state, firm, http)
    with logging_to(folder):
        fail(f"unquoted {WORD}")
        assert await Flusher(state, Recorder(Requests()), "web").flush()
    shown = await operator.get("/ops/logs?span=1h")
    assert shown.status_code == 200
    assert {"BROKEN", "KeyError", "tests.operate.test_logs:fail"} <= set(re.split(r"[<>\s]+", shown.text))
    assert WORD not in shown.text
