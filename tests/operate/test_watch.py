"""What is measured becomes an incident with its cause, and is closed by what is measured later."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.operate.watched import Day, own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.logs.errors import kind_of
from zena.kit.state import State
from zena.operate.incidents.listing import listed, one
from zena.operate.incidents.report import markdown
from zena.operate.logs import groups
from zena.operate.symptoms import (
    a1_slow_api,
    a2_errors,
    b1_slow_queries,
    c1_cache_misses,
    d1_slow_dashboard,
    p1_broken_promise,
    q2_failing_jobs,
)
from zena.operate.symptoms.contract import Diagnosis, Look, Reading, Symptom
from zena.operate.symptoms.surroundings import recent_change
from zena.operate.watch.now import see, silent
from zena.operate.watch.rounds import Opened, look_around

_ATTEMPT = """
INSERT INTO queue.pgqueuer_log (job_id, status, priority, entrypoint, traceback, created)
VALUES (0, 'exception', 0, $1, $2::text::jsonb, $3)
"""
AT = datetime(2031, 6, 7, 8, 30, tzinfo=UTC)
D1, A1, A2, B1 = (one.SYMPTOM for one in (d1_slow_dashboard, a1_slow_api, a2_errors, b1_slow_queries))


@pytest.fixture
async def day(state: State, urls: ClusterUrls) -> AsyncIterator[Day]:
    async with own_day(state, urls.ops, AT) as made:
        yield made


async def rounds(day: Day, *symptoms: Symptom, times: int = 2) -> list[Opened]:
    """Look around some times, fifteen seconds apart; return what was opened."""
    opened: list[Opened] = []
    for _ in range(times):
        opened += await look_around(await day.look(), symptoms)
        day.later(seconds=15)
    for made in opened:
        assert {cause.cause for cause in made.diagnosis.causes} <= made.symptom.causes | {"recent_change"}
    return opened


async def test_a_slow_dashboard_is_opened_explained_and_closed_when_it_is_quick_again(day: Day) -> None:
    day.request("/dashboard", 80, times=60, sent=3, spent=4)
    assert await rounds(day, D1) == []
    slow: dict[str, Any] = {
        "statement": "SELECT name FROM task WHERE id = $1",
        "sent": 40,
        "spent": 700.0,
        "spread": False,
    }
    day.request("/dashboard", 900, times=10, **slow)
    assert await rounds(day, D1, times=3) == [], "within one minute it may be a process that has just started"
    day.later(minutes=1)
    day.request("/dashboard", 900, times=10, **slow)
    opened = await rounds(day, D1)
    assert [(one.symptom.id, one.reading.scope, one.diagnosis.cause) for one in opened] == [("D1", "", "n_plus_one")]
    assert "40 times per request" in opened[0].diagnosis.causes[0].says
    assert await rounds(day, D1) == [], "one incident is enough"
    day.later(minutes=10)
    day.request("/dashboard", 80, times=60)
    assert await rounds(day, D1, times=1) == []
    told = await one(day.conn, opened[0].id)
    assert told is not None
    assert told["closed_at"] is None, "one calm look closes nothing"
    await rounds(day, D1, times=1)
    told = await one(day.conn, opened[0].id)
    assert told is not None
    assert [entry["kind"] for entry in told["timeline"]] == ["opened", "diagnosed", "closed"]
    assert told["began_at"] < told["opened_at"] < told["mitigated_at"] < told["verified_at"] == told["closed_at"]
    assert (told["intact"], told["state"]) == (True, "closed")
    text = markdown(told)
    assert text.startswith(f"# Incident {opened[0].id}: Dashboard loads slowly\n")
    assert "**n_plus_one**" in text
    assert "- verified 2031-06-07" in text


async def test_few_slow_requests_among_many_open_nothing(day: Day) -> None:
    day.request("/dashboard", 80, times=196)
    day.request("/dashboard", 900, times=8)
    assert await rounds(day, D1, A1, A2, times=3) == []


async def test_one_statement_is_named_and_what_it_is_not(day: Day) -> None:
    day.request("/api/v1/app/tasks", 400, times=30, statement="SELECT count(*) FROM task", spent=350)
    (opened,) = await rounds(day, A1)
    assert (opened.reading.scope, opened.diagnosis.cause) == ("GET /api/v1/app/tasks", "statement")
    assert "n_plus_one" in dict(opened.diagnosis.ruled_out)


async def test_a_slow_firm_is_told_from_a_slow_route(day: Day) -> None:
    for number in range(40):
        day.request("/api/v1/app/tasks", 20, tenant=f"00000000-0000-7000-8000-{number:012}", sent=30, spent=10)
    day.request("/api/v1/app/tasks", 600, times=30, spent=100, tenant="00000000-0000-7000-8000-00000000000f")
    (opened,) = await rounds(day, A1)
    assert "one_firm" in {cause.cause for cause in opened.diagnosis.causes}


async def test_many_slow_routes_are_one_incident(day: Day) -> None:
    for name in ("tasks", "projects", "members", "activity", "labels"):
        day.request(f"/api/v1/app/{name}", 700, times=30)
    (opened,) = await rounds(day, A1)
    assert (opened.reading.scope, len(opened.reading.facts["scopes"])) == ("several", 5)
    assert len(await listed(day.conn, closed=False, since=AT, limit=10)) == 1


async def test_errors_are_opened_and_the_route_that_has_them_is_named(day: Day) -> None:
    day.request("/api/v1/app/tasks", 20, times=300)
    day.request("/api/v1/app/projects", 20, times=30, status=500)
    (opened,) = await rounds(day, A2)
    assert "one_route" in {cause.cause for cause in opened.diagnosis.causes}
    assert "GET /api/v1/app/projects" in next(c.says for c in opened.diagnosis.causes if c.cause == "one_route")


async def test_an_error_that_is_over_does_not_explain_those_that_go_on(day: Day) -> None:
    """Half an hour is looked back upon, and what failed in its beginning was mended."""
    old, new = (kind_of("SERVER_ERROR", f"asyncpg.exceptions.{name}", "zena.x", "app")
                for name in ("UndefinedColumnError", "InsufficientPrivilegeError"))  # fmt: skip
    for kind, number, minutes in ((old, 50, 20), (new, 5, 1)):
        for _ in range(number):
            kind.add(day.now - timedelta(minutes=minutes), None, None)
    try:
        async with day.conn.transaction():
            await groups.store(day.conn, [old, new])
        diagnosis = await A2.diagnose(await day.look(), Reading("", over=True, calm=False, says=""))
        assert diagnosis.cause == "right_missing"
        assert "schema_behind" not in {cause.cause for cause in diagnosis.causes}
    finally:
        names = [old.fingerprint, new.fingerprint]
        await day.conn.execute("DELETE FROM ops.error_hour WHERE fingerprint = ANY ($1)", names)
        await day.conn.execute("DELETE FROM ops.error_group WHERE fingerprint = ANY ($1)", names)


@pytest.mark.parametrize(
    ("error", "message", "cause"),
    [
        ("RetryRequested", "TypeError: it has another shape", "payload"),
        ("RetryRequested", "UndefinedColumnError: no such column", "code"),
        ("RetryRequested", "SMTPConnectError: 421", "dependency"),
        ("TypeError", "it has another shape", "payload"),
    ],
)
async def test_a_job_that_will_be_tried_again_is_explained_by_its_attempts(
    day: Day, urls: ClusterUrls, error: str, message: str, cause: str
) -> None:
    kind = f"test.{new_id().hex}"
    conn = await asyncpg.connect(urls.superuser)
    try:
        told = json.dumps({"exception_type": error, "exception_message": message, "traceback": ""})
        await conn.execute(_ATTEMPT, kind, told, day.now - timedelta(minutes=1))
        diagnosis = await q2_failing_jobs.SYMPTOM.diagnose(
            await day.look(), Reading(kind, over=True, calm=False, says="")
        )
        assert diagnosis.cause == cause
        assert dict(diagnosis.ruled_out)["held"].startswith("nothing is held")
    finally:
        await conn.execute("DELETE FROM queue.pgqueuer_log WHERE entrypoint = $1", kind)
        await conn.close()


async def test_misses_are_named_by_their_reason_and_changes_are_no_fault_of_the_cache(day: Day) -> None:
    symptom = c1_cache_misses.SYMPTOM
    for number in range(400):
        day.made.cache("kpi", "version_changed" if number % 2 else None)
        day.made.cache("list", "expired" if number % 3 else None)
    (opened,) = await rounds(day, symptom)
    assert (opened.reading.scope, opened.diagnosis.cause) == ("list", "short_life")
    assert "too_small" in dict(opened.diagnosis.ruled_out)


async def test_a_burning_budget_comes_with_its_bill(day: Day) -> None:
    day.later(minutes=70)
    day.request("/dashboard", 80, times=40)
    day.request("/dashboard", 900, times=120)
    opened = await rounds(day, p1_broken_promise.SYMPTOM)
    (slow,) = [one for one in opened if one.reading.scope == "dashboard"]
    assert slow.diagnosis.cause == "slowness"
    assert slow.diagnosis.causes[0].evidence[0].says.startswith("100% GET /dashboard: 120 of 160")


async def test_a_budget_that_failures_spend_is_told_from_one_that_slowness_spends(day: Day) -> None:
    """And an hour is half as long at half the pace: the quiet time before lies outside of it."""
    day.request("/labels", 80, times=1200)
    await p1_broken_promise.SYMPTOM.watch(await day.look())
    day.later(minutes=40)
    day.request("/labels", 20, times=120, status=500)
    for pace, hour in ((1.0, False), (0.5, True)):
        look = await day.look(pace)
        (reading,) = [one for one in await p1_broken_promise.SYMPTOM.watch(look) if one.scope == "errors"]
        assert (reading.over, "over 1h" in reading.says) == (True, hour)
        assert (await p1_broken_promise.SYMPTOM.diagnose(look, reading)).cause == "failures"


async def test_a_symptom_that_cannot_be_looked_at_is_said_to_be_so_and_keeps_none_of_the_others(day: Day) -> None:
    async def broken(_: Look) -> list[Reading]:
        raise ZeroDivisionError

    bad = replace(A1, watch=broken)
    day.request("/dashboard", 900, times=30)
    assert [one.symptom.id for one in await rounds(day, bad, D1)] == ["D1"]
    assert await silent(day.conn, [bad, D1, A2], day.now, 1.0) == [
        "A1: the last look failed with ZeroDivisionError", "A2: never looked at; does a worker run?",
    ]  # fmt: skip
    assert (await see(await day.look(), bad)).verdict == "failed"
    day.later(minutes=1)
    assert any(line.startswith("D1: not looked at for 75 s") for line in await silent(day.conn, [D1], day.now, 1.0))


async def test_two_that_watch_at_once_open_one_incident(day: Day, urls: ClusterUrls) -> None:
    day.request("/dashboard", 900, times=30)
    look = await day.look()
    await look_around(look, [D1])
    other = await asyncpg.connect(urls.ops)
    try:
        incident = "INSERT INTO ops.incident (symptom, scope, severity, says, began_at, opened_at)"
        await other.execute(f"{incident} VALUES ('D1', '', 'high', 'another saw it', $1, $1)", day.now)
        assert await look_around(look, [D1]) == []
    finally:
        await other.close()
    assert len(await listed(day.conn, closed=True, since=AT, limit=10)) == 1


async def test_no_traffic_is_no_data_and_not_health(day: Day) -> None:
    assert (await see(await day.look(), D1)).verdict == "no data"
    day.request("/dashboard", 80, times=5)
    assert (await see(await day.look(), D1)).verdict == "no data"
    day.request("/dashboard", 80, times=50)
    assert (await see(await day.look(), D1)).verdict == "ok"


async def test_who_holds_a_lock_is_named_before_anything_else_is_suspected(day: Day, urls: ClusterUrls) -> None:
    statement = "SELECT count(*) FROM label WHERE tenant_id = $1"
    day.request("/dashboard", 900, times=30, statement=statement, spent=800)
    for _ in range(30):
        day.made.query(statement, 0.8)
        day.later(seconds=3)
    holder, waiter = await asyncpg.connect(urls.owner), await asyncpg.connect(urls.superuser)
    held = holder.transaction()
    await held.start()
    try:
        await holder.execute("LOCK TABLE label IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.create_task(waiter.fetch("SELECT count(*) FROM label"))
        opened = await rounds(day, B1, D1)
    finally:
        await held.rollback()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.gather(holder.close(), waiter.close())
    slow, dashboard = (next(one for one in opened if one.symptom is symptom) for symptom in (B1, D1))
    assert slow.diagnosis.cause == "lock"
    assert "for label" in slow.diagnosis.causes[0].says
    told = await one(day.conn, dashboard.id)
    assert told is not None
    assert (told["parent_id"], told["timeline"][-1]["kind"]) == (slow.id, "folded"), "a consequence of slow statements"
    assert dashboard.id in (await one(day.conn, slow.id) or {})["children"]


async def test_an_older_incident_becomes_a_consequence_of_what_explains_it(day: Day) -> None:
    day.request("/dashboard", 900, times=30)
    (dashboard,) = await rounds(day, D1)
    for _ in range(30):
        day.made.query("SELECT 1 FROM task WHERE tenant_id = $1", 0.8)
        day.later(seconds=3)
    (slow,) = await rounds(day, B1)
    told = await one(day.conn, dashboard.id)
    assert told is not None
    assert told["parent_id"] == slow.id


async def test_a_cause_whose_evidence_comes_later_is_found_later_once(day: Day) -> None:
    """What is kept of requests is written down after they were counted: an incident may open without."""
    slow: dict[str, Any] = {"spread": False, "statement": "SELECT count(*) FROM task", "spent": 850}
    day.request("/dashboard", 900, times=30)
    await day.flusher.flush()
    await day.conn.execute("DELETE FROM ops.request WHERE at >= $1", AT)
    (opened,) = await rounds(day, D1)
    assert (opened.diagnosis.cause, dict(opened.diagnosis.ruled_out)["requests"][:4]) == ("unknown", "none")
    assert [entry["body"]["causes"] for entry in await diagnosed(day, opened.id)] == [[]], (
        "what is not found is told once"
    )
    day.request("/dashboard", 900, times=10, **slow)
    await rounds(day, D1, times=3)
    told = await one(day.conn, opened.id)
    assert told is not None
    assert (told["cause"], len(await diagnosed(day, opened.id)), told["intact"]) == ("statement", 2, True)
    assert "\n- **statement** " in markdown(told)


async def test_an_incident_whose_explanation_was_cut_off_is_explained_by_who_watches_next(day: Day) -> None:
    day.request("/dashboard", 900, times=30, statement="SELECT count(*) FROM task", spent=850)

    async def killed(*_: object) -> Diagnosis:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await rounds(day, replace(D1, diagnose=killed))
    (made,) = await listed(day.conn, closed=False, since=AT, limit=10)
    assert made["cause"] is None
    (explained,) = await rounds(day, D1, times=1)
    assert (explained.id, explained.diagnosis.cause) == (made["id"], "statement")


async def diagnosed(day: Day, incident: int) -> list[dict[str, Any]]:
    told = await one(day.conn, incident)
    assert told is not None
    return [entry for entry in told["timeline"] if entry["kind"] == "diagnosed"]


async def test_a_change_just_before_may_be_the_cause_and_a_remedy_less_so(day: Day) -> None:
    async def likely(kind: str) -> float:
        await day.conn.execute(
            "INSERT INTO ops.change (at, kind, what, actor) VALUES ($1, $2, 'something', 'test')", day.now, kind
        )
        day.later(seconds=1)
        found = await recent_change(await day.look())
        assert found is not None
        assert (found.cause, f"{kind} at" in found.says, " UTC," in found.says) == ("recent_change", True, True)
        return found.confidence

    try:
        assert [await likely("setting"), await likely("remedy"), await likely("deploy")] == [0.35, 0.2, 0.35]
    finally:
        await day.conn.execute("DELETE FROM ops.change WHERE actor = 'test'")
