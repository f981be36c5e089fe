"""A notice is sent once in the good case, twice in the worst, and never lost."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.cli.run import ROOT, variables
from tests.kit.bed import until
from tests.operate.sinks import Asked, Sink, opened, reply
from tests.operate.told import Duty, on_duty
from zena.kit.db import dialled
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.alerts.contract import Answer, Notice
from zena.operate.incidents import actions, retention
from zena.operate.incidents.listing import one
from zena.operate.notices import outbox, standing
from zena.operate.symptoms.d1_slow_dashboard import SYMPTOM as D1
from zena.operate.watch.rounds import look_around

AT = datetime(2031, 12, 20, 2, 0, tzinfo=UTC)
SENDER = """
import asyncio, sys
from dataclasses import replace
from zena.kit.clock import FixedClock
from datetime import datetime
from zena.main import build_state
from zena.operate.alerts.teller import Teller
from zena.settings import load_settings
state = build_state(load_settings(), worker=True, clock=FixedClock(datetime.fromisoformat(sys.argv[1])))
asyncio.run(Teller(state).run())
"""


@pytest.fixture
async def duty(state: State, urls: ClusterUrls) -> AsyncIterator[Duty]:
    async with on_duty(state, urls.ops, AT, "slack", "pagerduty", "webhook") as made:
        yield made


async def errors(duty: Duty, incident: int) -> list[tuple[str, int, str | None]]:
    return [(row["channel"], row["attempts"], row["error"]) for row in await duty.kept(incident)]


async def test_what_a_round_finds_is_written_with_it_and_told(duty: Duty) -> None:
    duty.day.request("/dashboard", 900, times=30, statement="SELECT 1", sent=40, spent=700)
    look = replace(await duty.day.look(), settings=duty.settings)
    (found,) = [made for _ in range(2) for made in await look_around(look, [D1])]
    assert [(row["kind"], row["channel"]) for row in await duty.kept(found.id)] == [
        ("opened", "slack"), ("opened", "webhook"),
    ]  # fmt: skip
    duty.made.append(found.id)
    await duty.tell()
    (hook,) = duty.hooked(found.id)
    assert hook.body["cause"].startswith("n_plus_one (")
    assert 1 <= len(hook.body["evidence"]) <= 3
    assert duty.slack(found.id)[0]["text"].startswith("high D1 Dashboard loads slowly (incident ")


async def test_one_that_is_not_taken_is_tried_again_and_holds_up_no_other(duty: Duty) -> None:
    def busy(asked: Asked) -> bytes | None:
        return reply(429, {"ok": False, "error": "ratelimited"}, Retry_After="100") if "api" in asked.path else None

    duty.sink.answer = busy
    number = await duty.open()
    await duty.teller.once(duty.day.conn)
    await until(lambda: _there(duty.sink.hooks), 5)
    await duty.teller.once(duty.day.conn)
    assert (await errors(duty, number))[0] == ("slack", 1, "429 ratelimited"), "though the webhook does not answer"
    assert len(duty.slack(number)) == 1
    duty.sink.answer = None
    for _, task in duty.teller._under_way.values():
        task.cancel()
    await duty.later(seconds=99)
    assert len(duty.slack(number)) == 1, "it asked to be left alone"
    await duty.later(seconds=10)
    assert [(row["channel"], row["sent_at"] is not None) for row in await duty.kept(number)] == [
        ("slack", True), ("webhook", True),
    ]  # fmt: skip
    assert len({hook.headers["idempotency-key"] for hook in duty.hooked(number)}) == 1


async def _there(found: list[Any]) -> bool:
    return bool(found)


async def _paged(sink: Sink, times: int) -> bool:
    return len(sink.pages) >= times


async def test_each_failure_waits_longer_and_after_a_day_it_is_given_up(duty: Duty) -> None:
    duty.sink.answer = lambda _: reply(500, b"broken")
    number = await duty.open()
    for _ in range(12):
        await duty.later(minutes=15)
    tried = len(duty.slack(number))
    assert 12 <= tried <= 26, tried
    assert duty.actions(number).count("trigger") > 1
    assert "acknowledge" not in duty.actions(number)
    await actions.acknowledge(duty.day.conn, number, "lan", duty.day.now)
    await duty.later(hours=20)
    assert "acknowledge" not in duty.actions(number), "the first is told before what follows it"
    duty.day.later(hours=1, seconds=1)
    told = await standing.in_short(duty.day.conn, duty.settings.alert_channels, duty.day.now)
    assert told["failing"]["slack"] == "500 broken"
    await duty.tell()
    rows = [row for row in await duty.kept(number) if row["kind"] == "opened"]
    assert [(row["channel"], row["sent_at"], row["failed_at"], row["error"]) for row in rows] == [
        ("slack", None, duty.day.now, "500 broken"), ("webhook", None, duty.day.now, "500 broken"),
    ]  # fmt: skip
    told = await standing.in_short(duty.day.conn, duty.settings.alert_channels, duty.day.now)
    assert told["given_up"] >= 2
    duty.sink.answer = None
    await duty.later(minutes=20)
    assert "acknowledge" in duty.actions(number), "what comes after it is told when somebody answers again"


def test_the_wait_doubles_up_to_ten_minutes_and_obeys_up_to_an_hour() -> None:
    waits = [outbox.delay(attempt).total_seconds() for attempt in range(1, 40)]
    for attempt, wait in enumerate(waits, 1):
        middle = min(5 * 2 ** (attempt - 1), 600)
        assert middle * 0.75 <= wait <= middle * 1.25
    assert len(set(waits[10:])) > 1, "spread, so that many do not come back at once"
    assert outbox.delay(1, 90).total_seconds() == 90
    assert outbox.delay(1, 1e9).total_seconds() == 3600


async def test_two_that_tell_at_once_tell_each_once_and_in_order(duty: Duty, urls: ClusterUrls) -> None:
    numbers = [await duty.open("B1", f"scope {number}") for number in range(5)]
    for number in numbers:
        await actions.acknowledge(duty.day.conn, number, "lan", duty.day.now)
    tellers = [duty.another() for _ in range(3)]
    async with dialled(urls.ops, "other") as one_more, dialled(urls.ops, "other") as yet_one_more:
        for _ in range(25):
            conns = (duty.day.conn, one_more, yet_one_more)
            await asyncio.gather(*(teller.once(conn) for teller, conn in zip(tellers, conns, strict=True)))
            await asyncio.gather(*(teller.settled() for teller in tellers))
    assert [duty.heads(number) for number in numbers] == [["high", "acknowledged: high"]] * 5
    assert [len(duty.hooked(number)) for number in numbers] == [2] * 5
    threads = [duty.slack(number)[1]["thread_ts"] for number in numbers]
    assert len(set(threads)) == 5, "each in its own"


async def test_a_sender_that_vanishes_leaves_it_to_the_next(duty: Duty) -> None:
    number = await duty.open("T2")
    gone = duty.another()
    await gone.once(duty.day.conn)
    await gone.settled()  # it was taken, and nobody has written that down
    assert duty.actions(number) == ["trigger"]
    await duty.later(seconds=89)
    assert duty.actions(number) == ["trigger"], "somebody may still be at it"
    await duty.later(seconds=1)
    assert duty.actions(number) == ["trigger", "trigger"]
    first, second = (event for event in duty.sink.pages if event.body["dedup_key"].endswith(f":{number}"))
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body["dedup_key"] == second.body["dedup_key"]


async def test_what_is_over_before_anybody_could_be_called_calls_nobody(duty: Duty) -> None:
    duty.sink.answer = lambda _: reply(503, b"away")
    number = await duty.open("T2")
    await duty.later(seconds=1)
    before = len(duty.slack(number))
    await duty.later(minutes=1)
    await duty.close("T2")
    duty.sink.answer = None
    await duty.later(minutes=30)
    assert [one["text"].splitlines()[0].partition(" T2")[0] for one in duty.slack(number)[before:]][-1] == (
        "over: critical"
    )
    assert duty.actions(number)[-1] == "resolve"
    assert {row["error"] for row in await duty.kept(number) if row["kind"] == "opened"} == {outbox.OVER}


async def test_a_fault_of_ours_keeps_no_channel_busy(duty: Duty) -> None:
    class Broken:
        name, where = "slack", "nowhere"

        async def send(self, _: Notice) -> Answer:
            raise ZeroDivisionError

    duty.teller._channels["slack"] = Broken()
    number = await duty.open()
    await duty.tell()
    assert (await errors(duty, number))[0] == ("slack", 1, "it could not be sent: ZeroDivisionError")
    duty.teller = duty.another()
    await duty.later(seconds=10)
    assert len(duty.slack(number)) == 1


async def test_a_channel_that_is_set_no_more_says_so(duty: Duty) -> None:
    number = await duty.open()
    duty.teller._channels.pop("slack")
    await duty.tell()
    await duty.later(hours=24, seconds=1)
    kept = {row["channel"]: row["error"] for row in await duty.kept(number) if row["kind"] == "opened"}
    assert kept == {"slack": "no worker has this channel any more", "webhook": None}


async def test_incidents_that_closed_four_hundred_days_ago_are_forgotten_with_all_of_theirs(duty: Duty) -> None:
    old = await duty.open("B1", "old")
    left = await duty.open("D1", "left", under=old)
    await duty.verdict(old, "fixed")
    await duty.tell()
    await duty.close("B1", "old")
    now = duty.day.now
    await retention.drop_old(duty.day.conn, now + timedelta(days=399))
    assert await one(duty.day.conn, old) is not None
    assert await retention.drop_old(duty.day.conn, now + timedelta(days=401)) >= 1
    assert (await one(duty.day.conn, old), await duty.kept(old)) == (None, [])
    still = await one(duty.day.conn, left)
    assert still is not None
    assert (still["closed_at"], still["parent_id"]) == (None, None), "what is open is kept, however old"


@pytest.mark.proof
async def test_killed_between_sending_and_writing_it_down_nothing_is_lost(
    duty: Duty, urls: ClusterUrls, tmp_path: Path
) -> None:
    """The other side has taken it when the process dies; the next one sends it again under the same name."""
    number = await duty.open("T2")
    async with opened(Sink()) as slow:
        slow.answer = lambda _: None
        given = variables(
            ZENA_DATA_DIR=tmp_path, ZENA_DATABASE_URL=urls.app, ZENA_DATABASE_OPS_URL=urls.ops, ZENA_ENV="test",
            ZENA_ALERT_PAGERDUTY_KEY="routing", ZENA_ALERT_PAGERDUTY_URL=slow.url, ZENA_ALERT_NETWORKS="127.0.0.0/8",
            ZENA_PUBLIC_URL=duty.settings.public_url,
        )  # fmt: skip
        for times in (1, 2):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SENDER, duty.day.now.isoformat(), env=given, cwd=ROOT
            )
            await until(partial(_paged, slow, times), 30)
            process.kill()
            await process.wait()
            duty.day.later(seconds=91)
        first, second = slow.pages
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    await duty.tell()
    (event,) = (asked for asked in duty.sink.pages if asked.body["dedup_key"].endswith(f":{number}"))
    assert (event.body["dedup_key"], event.raw) == (first.body["dedup_key"], first.raw)
    rows = [row for row in await duty.kept(number) if row["channel"] == "pagerduty"]
    assert [(row["attempts"], row["sent_at"]) for row in rows] == [(3, duty.day.now)]


@pytest.mark.proof
async def test_a_database_that_goes_away_while_it_sends_loses_nothing(duty: Duty, urls: ClusterUrls) -> None:
    number = await duty.open("T2")
    ops = asyncio.create_task(duty.teller.run())
    try:
        for _ in range(8):
            await asyncio.sleep(0.4)
            conn = await asyncpg.connect(urls.superuser)
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zena-alerts'"
            )
            await conn.close()
        await asyncio.sleep(2.5)
    finally:
        ops.cancel()
        await asyncio.gather(ops, return_exceptions=True)
    await duty.later(seconds=91)
    assert all(row["sent_at"] is not None for row in await duty.kept(number))
    assert set(duty.actions(number)) == {"trigger"}
