"""`zena alert`, as somebody calls it at night, and what `zena status` says of it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from tests.factories.post import post
from tests.operate.commands import Terminal
from tests.operate.sinks import SECRET, Sink, opened, reply
from tests.operate.told import on_duty
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.notices import standing

pytestmark = pytest.mark.proof  # every command is a process

AT = datetime(2031, 12, 27, 2, 0, tzinfo=UTC)


@pytest.fixture
async def run(urls: ClusterUrls, tmp_path: Path) -> AsyncIterator[Terminal]:
    yield Terminal(urls, tmp_path)
    conn = await asyncpg.connect(urls.ops)
    await conn.execute("DELETE FROM ops.mute")
    await conn.close()


async def test_a_test_notice_goes_out_over_every_channel_and_says_what_came_back(run: Terminal) -> None:
    async with opened(Sink()) as sink, post() as office:
        values = {
            "ZENA_ALERT_SLACK_TOKEN": "xoxb-test", "ZENA_ALERT_SLACK_CHANNEL": "C1",
            "ZENA_ALERT_SLACK_URL": f"{sink.url}/api/", "ZENA_ALERT_PAGERDUTY_KEY": "routing",
            "ZENA_ALERT_PAGERDUTY_URL": sink.url, "ZENA_ALERT_WEBHOOK_URL": f"{sink.url}/hook",
            "ZENA_ALERT_WEBHOOK_SECRET": SECRET, "ZENA_ALERT_NETWORKS": "127.0.0.1",
            "ZENA_ALERT_MAIL": "lan@example.com", "ZENA_SMTP_URL": f"smtp://127.0.0.1:{office.port}?starttls=never",
            "ZENA_MAIL_FROM": "zena@example.com",
        }  # fmt: skip
        told = await run("alert", "test", "--json", **values)
        assert [(row["channel"], row["taken"], row["answer"]) for row in json.loads(told.out)] == [
            ("slack", "yes", "ok"), ("pagerduty", "yes", "202 resolve"), ("webhook", "yes", "204"),
            ("mail:lan@example.com", "yes", "the mail server took it"),
        ]  # fmt: skip
        assert (told.code, "xoxb" in told.out, "routing" in told.out, "/hook" in told.out) == (0, False, False, False)
        assert sink.slack[0].body["text"].splitlines()[0] == "test: notices of this installation arrive here"
        assert "take it" not in sink.slack[0].body["text"]
        assert office.letters[0]["Subject"] == "[Zena] test: notices of this installation arrive here"
        sink.answer = lambda _: reply(200, {"ok": False, "error": "not_in_channel"})
        told = await run("alert", "test", "slack", **values)
        assert (told.code, "no     200 not_in_channel" in told.out, len(sink.slack)) == (1, True, 2)
        assert (await run("alert", "test", "pager", **values)).code == 64
    told = await run("alert", "test")
    assert (told.code, "no channel is set" in told.err) == (78, True)


async def test_muting_is_told_recorded_and_ended(run: Terminal) -> None:
    told = await run("alert", "mute", "--for", "2h", "--reason", " moving \n the database", "--symptom", "b2")
    assert (told.code, "nobody is told of B2 until 20" in told.out) == (0, True)
    assert (await run("alert", "mute", "--for", "1h", "--reason", "all", "--json")).code == 0
    for wrong in (("30s", "x"), ("8d", "x"), ("1h", " ")):
        assert (await run("alert", "mute", "--for", wrong[0], "--reason", wrong[1])).code == 64
    assert (await run("alert", "mute", "--for", "1h", "--reason", "x", "--symptom", "Z9")).code == 64
    listed = await run("alert", "list", "--json")
    found = json.loads(listed.out)["muted"]
    assert [(one["symptom"], one["reason"]) for one in found] == [(None, "all"), ("B2", "moving the database")]
    shown = (await run("alert", "list")).out
    assert ("nobody would be told: no channel is set" in shown, "moving the database" in shown) == (True, True)
    assert "alerts muted: B2" in (await run("changes")).out
    assert "told again: B2 (moving the database)" in (await run("alert", "unmute", "--symptom", "B2")).out
    assert "told again: all (all)" in (await run("alert", "unmute")).out
    assert (await run("alert", "unmute")).out.strip() == "nothing is muted"
    assert "alerts unmuted: B2" in (await run("changes")).out


async def test_what_waits_and_what_fails_is_shown(run: Terminal, state: State, urls: ClusterUrls) -> None:
    said = await run("status")
    assert "alerts     NOBODY WOULD BE TOLD: no channel is set" in said.out
    async with on_duty(state, urls.ops, AT, "slack") as duty:
        duty.sink.answer = lambda _: reply(500, b"broken")
        number = await duty.open("T2", "shown")
        await duty.tell()
        values = {"ZENA_ALERT_SLACK_TOKEN": "x", "ZENA_ALERT_SLACK_CHANNEL": "C1"}
        listed = await run("alert", "list", **values)
        assert listed.code == 1
        assert f"{number} " in listed.out.partition("waiting\n")[2]
        assert "500 broken" in listed.out
        told = (await run("status", **values)).out
        assert "alerts     slack; FAILING slack: 500 broken; 1 wait" in told
        duty.sink.answer = None
        await duty.later(minutes=1)
        (channel,) = await standing.channels(duty.day.conn, ["slack"], duty.day.now)
        assert (standing.is_failing(channel), channel["waiting"], channel["error"]) == (False, 0, "500 broken")
        assert (await run("alert", "list", **values)).code == 0
