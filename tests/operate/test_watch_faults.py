"""Real faults, each put in and taken away: the symptom that sees it, and the cause it names."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from tests.operate.watched import Day, own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.symptoms import (
    b2_connections,
    c2_cache_broken,
    e1_lost_errors,
    t2_broken_fence,
    u1_sign_in,
    w2_silent_sockets,
    x1_down,
    x2_corruption,
)
from zena.operate.symptoms.contract import Diagnosis, Look, Reading, Symptom

AT = datetime(2031, 10, 11, 12, 0, tzinfo=UTC)
FIRM = new_id()
_HEARTBEAT = """
INSERT INTO ops.heartbeat (process, role, host, pid, release, started_at, seen_at, facts)
VALUES ($1, $2, 'elsewhere', $3, '0', now() - $4 * interval '1 second', now() - $5 * interval '1 second', $6)
"""


@pytest.fixture
async def day(state: State, urls: ClusterUrls) -> AsyncIterator[Day]:
    async with own_day(state, urls.ops, AT) as made:
        yield made
        await made.conn.execute("DELETE FROM ops.heartbeat WHERE host = 'elsewhere'")


async def process(day: Day, role: str, *, pid: int = 7, age: float = 60, seen: float = 1, **facts: Any) -> None:
    """Somebody's sign of life on another machine."""
    await day.conn.execute(_HEARTBEAT, new_id(), role, pid, age, seen, facts)


async def found(look: Look, symptom: Symptom, scope: str = "") -> tuple[Reading, Diagnosis]:
    """The reading of one scope, and what is behind it, which must be among what the symptom may say."""
    reading = next(one for one in await symptom.watch(look) if one.scope.startswith(scope))
    diagnosis = await symptom.diagnose(look, reading)
    assert {cause.cause for cause in diagnosis.causes} <= symptom.causes | {"recent_change"}
    return reading, diagnosis


async def test_a_transaction_left_open_is_named_with_who_holds_it(day: Day, urls: ClusterUrls) -> None:
    symptom, look = b2_connections.SYMPTOM, await day.look(pace=0.005)  # 60 s become 0.3 s
    before, _ = await found(look, symptom)
    assert before.over is False
    leak = await asyncpg.connect(urls.app, server_settings={"application_name": "leaky"})
    await leak.execute("BEGIN")
    try:
        await asyncio.sleep(0.6)
        reading, diagnosis = await found(look, symptom)
    finally:
        await leak.close()
    assert (reading.over, diagnosis.cause) == (True, "left_open")
    assert "1 sessions of leaky" in diagnosis.causes[0].says


async def test_a_pool_that_is_too_small_is_told_from_a_full_server(day: Day) -> None:
    for _ in range(40):
        day.made.wait(0.2)
    reading, diagnosis = await found(await day.look(), b2_connections.SYMPTOM)
    assert (reading.over, diagnosis.cause) == (True, "small_pool")
    assert "too_many_processes" in dict(diagnosis.ruled_out)


async def test_a_cache_that_is_not_there_is_away_and_without_one_nothing_is_said(day: Day) -> None:
    symptom, look = c2_cache_broken.SYMPTOM, await day.look()
    assert await symptom.watch(look) == []
    settings = look.settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    reading, diagnosis = await found(Look(look.conn, settings, look.now), symptom)
    assert (reading.over, diagnosis.cause) == (True, "away")


async def test_a_fence_that_fell_is_named_with_what_puts_it_up_again(day: Day, urls: ClusterUrls) -> None:
    symptom, look = t2_broken_fence.SYMPTOM, await day.look()
    before, _ = await found(look, symptom)
    assert (before.over, before.says.partition(";")[0]) == (False, "all 12 fences stand")
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute("ALTER TABLE label NO FORCE ROW LEVEL SECURITY")
        reading, diagnosis = await found(look, symptom)
    finally:
        await owner.execute("ALTER TABLE label FORCE ROW LEVEL SECURITY")
        await owner.close()
    assert (reading.over, symptom.opens_after, diagnosis.cause) == (True, 1, "row_security_off")
    assert "label" in diagnosis.causes[0].says
    assert (await found(look, symptom))[0].calm


async def attempts(day: Day, person: UUID, *references: str) -> None:
    """What one person asked for of another firm, half a minute apart, up to this moment."""
    for number, reference in enumerate(reversed(references)):
        await day.conn.execute(
            "INSERT INTO ops.crossing (id, at, tenant, person, kind, reference, route, request_id, client, owner,"
            " severity) VALUES ($1, $2, $3, $4, 'task', $5, 'GET /x', 'r', '', $3, 'low')",
            new_id(), day.now - timedelta(seconds=30 * number), FIRM, person, reference,
        )  # fmt: skip


async def test_who_searches_in_other_firms_is_named_and_an_old_link_is_not(day: Day) -> None:
    symptom, old_link, repeating, searching = t2_broken_fence.SYMPTOM, new_id(), new_id(), new_id()
    things = [str(new_id()) for _ in range(5)]
    try:
        await attempts(day, old_link, things[0])
        await attempts(day, repeating, *things[:4], *[one.upper() for one in things[:4]])
        await attempts(day, searching, *things)
        look = await day.look()
        fences, _, *people = await symptom.watch(look)  # the second is the prober's
        told = {one.scope: one.over for one in people}
        reading, diagnosis = await found(look, symptom, f"person {searching}")
        day.later(minutes=9)
        later, _ = await found(await day.look(), symptom, f"person {searching}")
        day.later(minutes=2)
        alone, _ = await symptom.watch(await day.look())
    finally:
        await day.conn.execute("DELETE FROM ops.crossing WHERE tenant = $1", FIRM)
    assert (fences.over, alone.scope) == (False, "")
    assert told == {
        f"person {old_link} of {FIRM}": False, f"person {repeating} of {FIRM}": False,
        f"person {searching} of {FIRM}": True,
    }  # fmt: skip
    assert (reading.value, diagnosis.cause) == (5, "probing")
    assert str(searching) in diagnosis.causes[0].says
    assert (later.over, later.calm) == (False, True)


async def test_sign_ins_that_fail_by_our_fault_are_told_and_wrong_passwords_are_not(day: Day) -> None:
    for status in (401, 401, 401, 401, 200):
        day.request("/sign-in", 300, status=status)
        day.made.request("/sign-in", "POST", status, 0.3)
    assert (await found(await day.look(), u1_sign_in.SYMPTOM))[0].over is False
    for _ in range(3):
        day.made.request("/sign-in", "POST", 500, 0.1)
    assert (await found(await day.look(), u1_sign_in.SYMPTOM))[0].over is True


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        ("OSError: No space left on device", "disk_full"),
        ("PermissionError: Permission denied", "not_allowed"),
        ("OSError: Read-only file system", "read_only_disk"),
        ("no handler takes what is logged", "handler_gone"),
        ("errors are below what channel app writes", "level"),
        ("logging was switched off in the process", "switched_off"),
        ("the thread that writes lines has ended", "writer_dead"),
        ("1200 lines wait to be written", "writer_stuck"),
        ("what is written to app.log is not in it: something empties it", "emptied"),
        ("something else", "files"),
    ],
)
async def test_a_process_whose_lines_are_not_written_is_named(day: Day, trouble: str, cause: str) -> None:
    await process(day, "web", log_trouble=trouble, dropped_lines=3)
    reading, diagnosis = await found(await day.look(), e1_lost_errors.SYMPTOM, "web elsewhere pid 7")
    assert (reading.over, diagnosis.cause) == (True, cause)
    assert "3 lost" in reading.says


async def test_a_process_that_does_not_read_events_is_named(day: Day) -> None:
    live = {"tenants": 1, "firms": {}, "firm_limit": 50, "hears_the_bell": True, "tail_seconds": 12.0}
    await process(day, "websocket", live=live)
    await process(day, "websocket", pid=8, live=live | {"hears_the_bell": False, "tail_seconds": 0.1})
    await process(day, "websocket", pid=9, live=live | {"tail_seconds": 0.1})
    await process(day, "websocket", pid=10, live=live | {"tenants": 0, "hears_the_bell": False})
    look = await day.look()
    told = {
        pid: (reading.over, why.cause)
        for pid in (7, 8, 9)
        for reading, why in [await found(look, w2_silent_sockets.SYMPTOM, f"websocket elsewhere pid {pid}")]
    }
    assert told[7] == (True, "stuck_reader")
    assert told[8] == (True, "not_woken")
    assert told[9][0] is False
    assert not any("pid 10" in one.scope for one in await w2_silent_sockets.SYMPTOM.watch(look)), "nobody listens there"


async def test_who_is_gone_is_told_from_who_dies_again_and_again(day: Day) -> None:
    await day.conn.execute("DELETE FROM ops.heartbeat WHERE role IN ('web', 'websocket')")
    look = await day.look()
    assert await x1_down.SYMPTOM.watch(look) == []
    await process(day, "web", seen=120, age=3000)
    reading, diagnosis = await found(look, x1_down.SYMPTOM, "web")
    assert (reading.over, diagnosis.cause) == (True, "not_running")
    for number in range(5):
        await process(day, "web", pid=20 + number, age=300, seen=200)
    await process(day, "web", pid=30)
    reading, diagnosis = await found(look, x1_down.SYMPTOM, "web")
    assert (reading.over, diagnosis.cause) == (True, "crash_loop")


async def test_an_index_that_was_never_finished_and_broken_rows_are_named(day: Day, urls: ClusterUrls) -> None:
    symptom, look = x2_corruption.SYMPTOM, await day.look()
    superuser = await asyncpg.connect(urls.superuser)
    run = new_id()
    try:
        await superuser.execute(
            "INSERT INTO ops.integrity_run (id, started_at, finished_at, kind, checks, findings, report)"
            " VALUES ($1, now(), now() + interval '1 day', 'nightly', 9, 1, $2::text::jsonb)",
            run,
            '{"findings": [{"check": "orphans", "subject": "task", "count": 2, "advice": ""}], "unfinished": []}',
        )
        await superuser.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'uq_label_tenant_id_name_key'::regclass"
        )
        reading, diagnosis = await found(look, symptom)
    finally:
        await superuser.execute(
            "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'uq_label_tenant_id_name_key'::regclass"
        )
        await superuser.execute("DELETE FROM ops.integrity_run WHERE id = $1", run)
        await superuser.close()
    assert reading.over is True
    assert [cause.cause for cause in diagnosis.causes if cause.cause != "recent_change"] == [
        "broken_index",
        "broken_rows",
    ]
    assert "orphans task (2)" in reading.says
