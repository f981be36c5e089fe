"""What each channel sends, and what it makes of every answer."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.factories.post import post
from tests.operate.sinks import LOOPBACK, SECRET, Sink, opened, reply
from zena.kit.clock import FixedClock
from zena.kit.mail import SmtpMailer, SmtpServer
from zena.operate.alerts.contract import Answer, Notice
from zena.operate.alerts.mailed import Mailed
from zena.operate.alerts.pagerduty import PagerDuty
from zena.operate.alerts.posting import retry_after
from zena.operate.alerts.slack import Slack
from zena.operate.alerts.webhook import Webhook
from zena.operate.evidence.secrecy import known_secrets, scrubbed
from zena.settings import Settings, SettingsError, load_settings
from zena.settings.load import described

AT = datetime(2031, 2, 3, 4, 5, tzinfo=UTC)
NOTICE = Notice(
    key="12:high:0:x", kind="opened", at=AT, incident=12, symptom="B1", title="Slow queries", scope="<label>",
    severity="high", says="42 of 120 take more than 100 ms", link="https://zena.example/ops/incidents/12",
    host="zena.example", cause="lock (95%): a session waits", evidence=("a: one", "b: two", "c: three"),
    next="zena db activity", remedy="cancel_blocker (R2), End what holds others up",
    plan="zena runbook plan cancel_blocker --incident 12", done=("04:04 remedy verdict by lan: no_effect",),
    facts={"incident": 12, "symptom": "B1"},
)  # fmt: skip


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with opened(Sink()) as made:
        yield made


def slack(sink: Sink, channel: str = "C1") -> Slack:
    return Slack(f"{sink.url}/api", "xoxb-test", channel, LOOPBACK)


def pager(sink: Sink) -> PagerDuty:
    return PagerDuty(sink.url, "routing", LOOPBACK)


async def test_slack_opens_a_thread_and_answers_in_it(sink: Sink) -> None:
    first = await slack(sink).send(NOTICE)
    assert first == Answer(taken=True, says="ok", ref="C1 1700.1")
    await slack(sink).send(replace(NOTICE, kind="closed", told="calm again", ref=first.ref))
    await slack(sink).send(replace(NOTICE, kind="escalated", ref=first.ref))
    await slack(sink, "C2").send(replace(NOTICE, kind="closed", ref=first.ref))
    opening, closing, calling, elsewhere = (one.body for one in sink.slack)
    assert sink.slack[0].headers["authorization"] == "Bearer xoxb-test"
    assert (opening["channel"], "thread_ts" in opening) == ("C1", False)
    assert opening["text"].splitlines() == [
        "high B1 Slow queries, &lt;label&gt; (incident 12)", "42 of 120 take more than 100 ms",
        "cause: lock (95%): a session waits", "  - a: one", "  - b: two", "  - c: three",
        "remedy: cancel_blocker (R2), End what holds others up",
        "  plan it: zena runbook plan cancel_blocker --incident 12", "look: zena db activity",
        "take it: zena incident ack 12", "done: 04:04 remedy verdict by lan: no_effect",
        "in the browser: https://zena.example/ops/incidents/12",
    ]  # fmt: skip
    assert (closing["thread_ts"], closing["reply_broadcast"]) == ("1700.1", False)
    assert closing["text"].splitlines()[:2] == ["over: high B1 Slow queries, &lt;label&gt; (incident 12)", "calm again"]
    assert calling["reply_broadcast"] is True, "what calls for somebody is seen outside of the thread"
    assert "thread_ts" not in elsewhere, "a thread of another channel is none here"


@pytest.mark.parametrize(
    ("answer", "says", "wait"),
    [
        (reply(200, {"ok": False, "error": "channel_not_found"}), "200 channel_not_found", None),
        (reply(429, {"ok": False, "error": "ratelimited"}, Retry_After="30"), "429 ratelimited", 30.0),
        (reply(500, b"<html>down</html>"), "500 <html>down</html>", None),
        (reply(200, b"\xff\xfe\x00"), "200 \ufffd\ufffd", None),
        (reply(200, [1]), "200 [1]", None),
        (reply(200, {"ok": True, "error": {"a": 1}}), "", None),
        (b"", "no answer: protocol", None),
        (b"HELLO\r\n\r\n", "no answer: protocol", None),
        (reply(302, b"", Location="http://127.0.0.1/"), "302", None),
    ],
)
async def test_slack_says_in_the_body_whether_it_took_it(
    sink: Sink, answer: bytes, says: str, wait: float | None
) -> None:
    sink.answer = lambda _: answer
    found = await slack(sink).send(NOTICE)
    if says:
        assert found == Answer(taken=False, says=says, wait=wait)
    else:
        assert found == Answer(taken=True, says="ok", ref=None), "taken, though it tells no thread"


@pytest.mark.parametrize(
    ("kind", "action"),
    [("opened", "trigger"), ("worse", "trigger"), ("escalated", "trigger"), ("acknowledged", "acknowledge"),
     ("closed", "resolve")],
)  # fmt: skip
async def test_pagerduty_hears_of_one_alert(sink: Sink, kind: str, action: str) -> None:
    found = await pager(sink).send(replace(NOTICE, kind=kind))
    assert (found.taken, found.ref) == (True, "zena:zena.example:12")
    event = sink.pages[0].body
    assert (event["routing_key"], event["event_action"]) == ("routing", action)
    assert event["dedup_key"] == "zena:zena.example:12"
    assert ("payload" in event) == (action == "trigger")
    assert sink.pages[0].headers["idempotency-key"] == NOTICE.key


@pytest.mark.parametrize(("ours", "theirs"), [("critical", "critical"), ("high", "error"), ("medium", "warning")])
async def test_pagerduty_is_given_its_own_severities(sink: Sink, ours: str, theirs: str) -> None:
    await pager(sink).send(replace(NOTICE, severity=ours))
    event = sink.pages[0].body
    assert event["payload"]["severity"] == theirs
    assert event["payload"]["summary"] == f"{ours} B1 Slow queries, <label> (incident 12)"
    assert (event["payload"]["source"], event["payload"]["component"]) == ("zena.example", "<label>")
    assert event["payload"]["timestamp"] == "2031-02-03T04:05:00+00:00"
    assert event["payload"]["custom_details"] == {"incident": 12, "symptom": "B1"}
    assert event["links"] == [{"href": NOTICE.link, "text": "Incident 12"}]


async def test_an_address_that_changed_since_resolves_what_it_triggered(sink: Sink) -> None:
    await pager(sink).send(replace(NOTICE, kind="closed", host="new.example", ref="zena:old.example:12"))
    assert sink.pages[0].body["dedup_key"] == "zena:old.example:12"


async def test_a_test_page_is_resolved_at_once(sink: Sink) -> None:
    found = await pager(sink).send(replace(NOTICE, kind="test", incident=0, severity="", key="test-1"))
    assert (found.taken, found.says) == (True, "202 resolve")
    assert [one.body["event_action"] for one in sink.pages] == ["trigger", "resolve"]
    assert {one.body["dedup_key"] for one in sink.pages} == {"zena:zena.example:test-1"}
    assert sink.pages[0].body["payload"]["severity"] == "info"


async def test_a_refusal_of_pagerduty_is_told_as_it_says_it(sink: Sink) -> None:
    sink.answer = lambda _: reply(400, {"status": "invalid event", "message": "Event object is invalid"})
    assert await pager(sink).send(NOTICE) == Answer(taken=False, says="400 Event object is invalid")


async def test_a_webhook_is_signed_over_its_time_and_body(sink: Sink) -> None:
    hook = Webhook(f"{sink.url}/hook", SECRET, "shown", FixedClock(AT), LOOPBACK)
    assert await hook.send(NOTICE) == Answer(taken=True, says="204")
    (asked,) = sink.hooks
    at = asked.headers["zena-timestamp"]
    made = hmac.new(SECRET.encode(), f"{at}.".encode() + asked.raw, hashlib.sha256).hexdigest()
    assert (asked.headers["zena-signature"], int(at)) == (f"v1={made}", int(AT.timestamp()))
    assert asked.headers["idempotency-key"] == NOTICE.key
    assert (asked.body["kind"], asked.body["incident"], asked.body["link"]) == ("opened", 12, NOTICE.link)
    sink.answer = lambda _: reply(410, b"gone")
    assert await hook.send(NOTICE) == Answer(taken=False, says="410 gone")


async def test_inner_addresses_are_refused_until_their_network_is_named(sink: Sink) -> None:
    for url in (f"{sink.url}/hook", f"http://localhost:{sink.port}/hook"):
        found = await Webhook(url, SECRET, "shown", FixedClock(AT)).send(NOTICE)
        assert (found.taken, "ZENA_ALERT_NETWORKS" in found.says) == (False, True)
    assert sink.asked == []


async def test_a_letter_says_the_same_and_belongs_to_its_incident() -> None:
    async with post() as office:
        mailer = SmtpMailer(SmtpServer("127.0.0.1", office.port, starttls="never"), "Zena <zena@example.com>")
        mailed = Mailed("ops@example.com", mailer)
        assert (await mailed.send(NOTICE)).taken
        (letter,) = office.letters
        assert letter["Subject"] == "[Zena] high B1 Slow queries, <label> (incident 12)"
        assert (letter["To"], letter["References"]) == ("ops@example.com", "<zena-12@zena.example>")
        assert letter["Idempotency-Key"] == NOTICE.key
        assert "  plan it: zena runbook plan cancel_blocker --incident 12" in letter.get_payload()
        office.refuses = 450
        assert await mailed.send(NOTICE) == Answer(taken=False, says="recipient refused (450)")
        office.refuses = 550
        assert await mailed.send(NOTICE) == Answer(taken=False, says="recipient refused (550)", final=True)
    assert not (await mailed.send(NOTICE)).taken


def refused(given: dict[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(SettingsError) as found:
        load_settings(given)
    return [(one.variable, one.found) for one in found.value.problems]


def test_half_a_channel_stops_the_start_and_what_is_set_is_shown_without_its_secrets(tmp_path: Path) -> None:
    given = {"ZENA_DATA_DIR": str(tmp_path), "ZENA_ALERT_SLACK_TOKEN": "xoxb-1"}
    half = {"ZENA_ALERT_MAIL": "a@b.example", "ZENA_ALERT_WEBHOOK_SECRET": SECRET}
    wrong = {"ZENA_ALERT_MAIL": "a@b.example, c", "ZENA_ALERT_WEBHOOK_SECRET": "short1"}
    assert refused(given | half) == [
        ("ZENA_ALERT_SLACK_CHANNEL", "nothing"), ("ZENA_ALERT_WEBHOOK_URL", "nothing"), ("ZENA_SMTP_URL", "nothing"),
    ]  # fmt: skip
    assert refused(given | wrong) == [("ZENA_ALERT_MAIL", "a@b.example, c"), ("ZENA_ALERT_WEBHOOK_SECRET", "***")]
    whole = load_settings(
        given | {"ZENA_ALERT_SLACK_CHANNEL": "C1", "ZENA_ALERT_WEBHOOK_URL": "https://x.example/hooks/KEY/",
                 "ZENA_ALERT_WEBHOOK_SECRET": SECRET, "ZENA_ALERT_MAIL": "a@b.example, c@d.example",
                 "ZENA_SMTP_URL": "smtp://mail.example", "ZENA_MAIL_FROM": "zena@b.example"}
    )  # fmt: skip
    assert whole.alert_channels == ("slack", "webhook", "mail:a@b.example", "mail:c@d.example")
    shown = {row["variable"]: row["value"] for row in described(whole) if "ALERT" in row["variable"]}
    assert shown["ZENA_ALERT_WEBHOOK_URL"] == "https://x.example/***"
    assert (shown["ZENA_ALERT_WEBHOOK_SECRET"], shown["ZENA_ALERT_SLACK_TOKEN"]) == ("***", "***")
    assert shown["ZENA_ALERT_SLACK_URL"] == "https://slack.com/api"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "9" * 40}, 999_999_999.0),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"retry-after": "Mon, 03 Feb 2031 04:06:00 GMT", "date": "Mon, 03 Feb 2031 04:05:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 03 Feb 2031 04:05:00 GMT", "date": "Mon, 03 Feb 2031 04:05:30 GMT"}, 0.0),
        ({"retry-after": "Mon, 03 Feb 2031 04:06:00 GMT"}, None),
        ({"retry-after": "Mon, 03 Feb 2031 04:06:00", "date": "Mon, 03 Feb 2031 04:05:30 GMT"}, None),
    ],
)
def test_how_long_the_other_side_wants_to_be_left_alone(headers: dict[str, Any], wait: float | None) -> None:
    assert retry_after(headers) == wait


def test_what_opens_a_channel_leaves_with_no_evidence(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, alert_pagerduty_key=SecretStr("a-routing-key"), alert_webhook_secret=SecretStr(SECRET),
        alert_webhook_url=SecretStr("https://x.example/hooks/KEY"),
    )  # fmt: skip
    secrets = known_secrets(settings)
    said = f"a-routing-key, {SECRET}, posted to https://x.example/hooks/KEY and /hooks/KEY"
    left = scrubbed(said, secrets)
    assert [word for word in ("a-routing-key", SECRET, "KEY") if word in left] == []
