"""Who is told of an incident, when, and when nobody is."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import pytest

from tests.operate.told import Duty, on_duty
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.incidents import actions
from zena.operate.incidents.listing import one
from zena.operate.incidents.report import markdown
from zena.operate.notices import muting
from zena.operate.notices.outbox import follow
from zena.operate.remedies import runs

AT = datetime(2031, 12, 13, 2, 0, tzinfo=UTC)
EVERY = ("slack", "pagerduty", "webhook", "mail:lan@example.com")


class OnDuty(Protocol):
    def __call__(self, *channels: str) -> AbstractAsyncContextManager[Duty]: ...


@pytest.fixture
def with_channels(state: State, urls: ClusterUrls) -> OnDuty:
    return lambda *channels: on_duty(state, urls.ops, AT, *channels)


@pytest.fixture
async def duty(with_channels: OnDuty) -> AsyncIterator[Duty]:
    async with with_channels(*EVERY) as made:
        yield made


async def test_a_grave_incident_is_told_at_once_paged_when_nobody_takes_it_and_told_to_its_end(duty: Duty) -> None:
    number = await duty.open()
    await duty.tell()
    assert (duty.heads(number), len(duty.hooked(number)), duty.paged(number)) == (["high"], 1, [])
    text = duty.slack(number)[0]["text"]
    for line in ("42 of 120 are slow", "cause: lock (95%): a session waits", "  - a: one", "look: zena db activity",
                 "remedy: cancel_blocker (R2), ", f"  plan it: zena runbook plan cancel_blocker --incident {number}",
                 f"{duty.settings.public_url}/ops/incidents/{number}"):  # fmt: skip
        assert line in text, text
    await duty.later(minutes=14)
    assert duty.paged(number) == []
    await duty.later(minutes=1)
    await duty.tell()
    assert duty.actions(number) == ["trigger"], "once"
    assert duty.paged(number)[0]["payload"]["severity"] == "error"
    await actions.acknowledge(duty.day.conn, number, "lan@desk", duty.day.now)
    await duty.tell()
    await duty.verdict(number, "no_effect")
    await duty.later(minutes=2)
    await duty.close()
    await duty.tell()
    assert duty.actions(number) == ["trigger", "acknowledge", "resolve"], "a page has no word for a verdict"
    assert duty.heads(number) == ["high", "acknowledged: high", "remedy: high", "over: high"]
    assert {one.get("thread_ts") for one in duty.slack(number)} == {None, "1700.1"}
    over = duty.slack(number)[-1]["text"]
    assert "calm again: 0 of 90 are slow" in over
    assert "remedy verdict by lan run " in over, "what was done"
    kinds = [hook.body["kind"] for hook in duty.hooked(number)]
    assert kinds == ["opened", "acknowledged", "verdict", "closed"]
    assert duty.letters(number) == [], "mail is for where there is no Slack"


async def test_a_cause_found_later_is_told_to_those_who_heard_of_it(duty: Duty) -> None:
    number = await duty.open("T2")
    await duty.tell()
    async with duty.day.conn.transaction():
        await follow(duty.day.conn, number, "explained", "it was unknown at first", duty.day.now)
    await duty.tell()
    text = duty.slack(number)[-1]["text"]
    assert text.startswith("cause found: critical T2 ")
    assert "\nit was unknown at first\ncause: lock (95%): a session waits\n" in text
    assert (duty.slack(number)[-1]["reply_broadcast"], len(duty.letters(number))) == (False, 2)
    assert duty.actions(number) == ["trigger"], "nobody is paged twice"
    told = await one(duty.day.conn, number)
    assert told is not None
    assert {(row["kind"], row["channel"]) for row in told["notices"] if row["sent_at"]} >= {
        ("opened", "pagerduty"), ("explained", "slack"), ("explained", "mail:lan@example.com"),
    }  # fmt: skip
    _, _, who = markdown(told).partition("## Who was told\n\n")
    assert f"explained over slack, sent {duty.day.now:%Y-%m-%d %H:%M:%S} UTC" in who


async def test_the_gravest_is_told_to_everybody_at_once(duty: Duty) -> None:
    number = await duty.open("T2")
    await duty.tell()
    assert (len(duty.slack(number)), duty.actions(number), len(duty.hooked(number))) == (1, ["trigger"], 1)
    ((to, subject),) = duty.letters(number)
    assert (to, subject) == ("lan@example.com", f"[Zena] critical T2 Cross-tenant access, x (incident {number})")


async def test_what_is_not_urgent_never_pages(with_channels: OnDuty) -> None:
    async with with_channels(*EVERY) as duty:
        number = await duty.open("C1")
        await duty.later(minutes=30)
        assert (len(duty.slack(number)), len(duty.letters(number)), duty.paged(number)) == (1, 1, [])
        assert duty.hooked(number) == []
    async with with_channels("pagerduty") as duty:
        number = await duty.open("C1")
        await duty.later(minutes=30)
        assert await duty.kept(number) == []


async def test_where_a_channel_is_missing_another_takes_its_place(with_channels: OnDuty) -> None:
    async with with_channels("mail:a@example.com", "mail:b@example.com") as duty:
        number = await duty.open()
        await duty.tell()
        assert [to for to, _ in duty.letters(number)] == ["a@example.com", "b@example.com"]
        await duty.later(minutes=15)
        assert duty.letters(number)[2][1].startswith("[Zena] not acknowledged: high B1")
        assert len(duty.letters(number)) == 4


async def test_without_a_channel_nothing_is_written(with_channels: OnDuty) -> None:
    async with with_channels() as duty:
        number = await duty.open()
        await duty.later(hours=5)
        await duty.close()
        assert await duty.kept(number) == []


async def test_whoever_takes_it_has_an_hour_and_may_take_it_again(duty: Duty) -> None:
    number = await duty.open()
    await duty.later(minutes=10)
    await actions.acknowledge(duty.day.conn, number, "lan@desk", duty.day.now)
    await duty.later(minutes=50)
    await actions.acknowledge(duty.day.conn, number, "lan@desk", duty.day.now)
    await actions.acknowledge(duty.day.conn, number, "lan@desk", duty.day.now)
    await duty.later(minutes=59)
    assert duty.paged(number) == []
    assert duty.heads(number) == ["high", "acknowledged: high", "acknowledged: high"], "twice at once is once"
    await duty.later(minutes=1)
    assert duty.actions(number) == ["trigger"], "it went on for over an hour, and is nobody's again"
    told = await one(duty.day.conn, number)
    assert told is not None
    assert told["acked_at"] == AT + timedelta(minutes=10), "how long it took counts from the first"


async def test_what_a_remedy_has_mended_calls_nobody_until_that_is_taken_back(duty: Duty) -> None:
    number = await duty.open()
    await duty.later(minutes=5)
    run = await duty.verdict(number, "fixed")
    await duty.later(minutes=20)
    assert duty.paged(number) == []
    told = await one(duty.day.conn, number)
    assert told is not None
    assert (told["mitigated_at"], told["closed_at"]) == (AT + timedelta(minutes=5), None)
    row = {"id": run, "incident_id": number, "remedy": "analyze"}
    await runs.undone(duty.day.conn, row, "lan", duty.day.now, "it was wrong")
    await duty.tell()
    assert (duty.actions(number), (await one(duty.day.conn, number) or {})["mitigated_at"]) == (["trigger"], None)
    assert duty.heads(number) == ["high", "remedy: high", "remedy: high"]
    await duty.verdict(number, "fixed")
    await duty.later(minutes=1)
    await duty.close()
    told = await one(duty.day.conn, number)
    assert told is not None
    assert told["mitigated_at"] == told["verified_at"] - timedelta(minutes=1), "not only when it is verified"


async def test_what_goes_on_is_told_every_four_hours(duty: Duty) -> None:
    number = await duty.open()
    await duty.later(minutes=15)
    await duty.later(hours=3.9)
    assert duty.heads(number) == ["high"]
    await duty.later(hours=0.1)
    await duty.tell()
    assert duty.heads(number) == ["high", "still open: high"]
    assert "still open after 4.2 h" in duty.slack(number)[-1]["text"]
    assert duty.slack(number)[-1]["reply_broadcast"] is True
    await duty.later(hours=4)
    assert duty.actions(number) == ["trigger"] * 3
    assert duty.letters(number) == [], "who never heard of it is not reminded"


async def test_a_consequence_is_told_to_nobody_and_makes_its_cause_as_grave(duty: Duty) -> None:
    cause = await duty.open("C2", "cause")
    await duty.tell()
    await actions.acknowledge(duty.day.conn, cause, "lan@desk", duty.day.now)
    duty.day.later(minutes=1)
    consequence = await duty.open("D1", "consequence", under=cause)
    await duty.later(hours=1)
    assert await duty.kept(consequence) == []
    assert duty.actions(cause) == ["trigger"], "the hour is over"
    duty.day.later(hours=1)
    await actions.acknowledge(duty.day.conn, cause, "lan@desk", duty.day.now)
    duty.day.later(minutes=1)
    grave = await duty.open("X2", "grave", under=cause)
    await duty.tell()
    assert await duty.kept(grave) == []
    told = await one(duty.day.conn, cause)
    assert told is not None
    assert (told["severity"], told["intact"]) == ("critical", True)
    assert any(f"incident {grave} is" in entry["body"].get("text", "") for entry in told["timeline"])
    assert duty.paged(cause)[-1]["payload"]["severity"] == "critical", "though somebody has it"
    assert [to for to, _ in duty.letters(cause)] == ["lan@example.com"]
    assert duty.letters(cause)[0][1].startswith("[Zena] worse: critical C2 ")


async def test_what_was_told_and_becomes_a_consequence_is_over_for_whoever_heard(duty: Duty) -> None:
    early = await duty.open("D1", "early")
    await duty.later(minutes=15)
    assert duty.actions(early) == ["trigger"]
    cause = await duty.open("C2", "cause")
    async with duty.day.conn.transaction():
        await actions.fold(duty.day.conn, early, cause, duty.day.now)
    await duty.tell()
    assert duty.actions(early) == ["trigger", "resolve"]
    assert f"a consequence of incident {cause}" in duty.slack(early)[-1]["text"]
    await duty.close("D1", "early")
    await duty.later(hours=5)
    assert (len(duty.slack(early)), duty.actions(early)) == (2, ["trigger", "resolve"])


async def test_what_comes_and_goes_is_told_once_and_then_held(duty: Duty) -> None:
    numbers = []
    for _ in range(6):
        numbers.append(await duty.open())
        await duty.later(minutes=5)
        await duty.close()
        await duty.later(minutes=5)
    assert [duty.heads(number) for number in numbers] == [
        ["high", "over: high"], ["high", "over: high"], ["high", "over: high"],
        ["comes and goes: high", "over: high"], [], [],
    ]  # fmt: skip
    duty.day.later(minutes=40)
    held = await duty.open()
    await duty.later(minutes=59)
    assert duty.heads(held) == [], "it was not quiet for an hour"
    await duty.later(minutes=1)
    assert duty.heads(held) == ["high"], "what stays is no flapping"
    assert duty.actions(held) == ["trigger"]
    await duty.close()
    duty.day.later(minutes=61)
    again = await duty.open()
    await duty.tell()
    assert duty.heads(again) == ["high"], "it was quiet for an hour"


async def test_what_becomes_worse_while_it_is_held_or_mended_is_told(duty: Duty) -> None:
    for _ in range(4):
        cause = await duty.open("C2", "cause")
        await duty.later(minutes=1)
        await duty.close("C2", "cause")
        await duty.later(minutes=1)
    held = await duty.open("C2", "cause")
    await duty.verdict(held, "fixed")
    await duty.later(minutes=1)
    assert (duty.slack(held), duty.paged(held)) == ([], []), f"{cause} has told that it comes and goes"
    await duty.open("X2", "grave", under=held)
    await duty.tell()
    assert (duty.actions(held), len(duty.letters(held))) == (["trigger"], 1)


async def test_muted_it_is_recorded_and_told_afterwards_if_it_is_still_so(duty: Duty) -> None:
    before = await duty.open("B1", "before")
    await duty.tell()
    mute = partial(muting.mute, duty.day.conn, span=timedelta(hours=2), reason="moving", actor="lan")
    await mute(symptom="B1", now=duty.day.now)
    short, still, other = await duty.open("B1", "short"), await duty.open("B1", "still"), await duty.open("C2", "other")
    await duty.later(minutes=30)
    assert (await duty.kept(short), await duty.kept(still)) == ([], [])
    assert (len(duty.slack(other)), duty.actions(other)) == (1, ["trigger"]), "another symptom is told"
    assert duty.paged(before) == []
    await duty.close("B1", "short")
    await duty.close("B1", "before")
    await duty.tell()
    assert duty.heads(before) == ["high", "over: high"], "what was told is told to its end"
    await duty.later(minutes=91)
    assert (duty.heads(short), duty.heads(still), duty.actions(still)) == ([], ["high"], ["trigger"])
    await mute(symptom=None, now=duty.day.now)
    all_of_it = await duty.open("A2", "all")
    await duty.tell()
    assert await duty.kept(all_of_it) == []
    assert len(await muting.unmute(duty.day.conn, symptom=None, actor="lan", now=duty.day.now)) == 1
    await duty.tell()
    assert len(duty.slack(all_of_it)) == 1


async def test_while_it_is_closed_only_what_no_maintenance_brings_about_is_told(duty: Duty) -> None:
    before = await duty.day.conn.fetchval("SELECT mode FROM ops.maintenance")
    await duty.day.conn.execute("UPDATE ops.maintenance SET mode = 'read_only'")
    try:
        planned, leak = await duty.open("Q1", "jobs wait"), await duty.open("T2", "a fence")
        await duty.later(minutes=20)
        assert (await duty.kept(planned), duty.actions(leak)) == ([], ["trigger"])
    finally:
        await duty.day.conn.execute("UPDATE ops.maintenance SET mode = $1", before)
    await duty.tell()
    assert (len(duty.slack(planned)), duty.actions(planned)) == (1, ["trigger"])


async def test_one_that_was_opened_by_a_watcher_that_died_is_told_by_the_next(duty: Duty) -> None:
    """It committed the incident, and was killed before it could explain it."""
    from zena.operate.symptoms.catalogue import BY_ID
    from zena.operate.symptoms.contract import Reading

    reading = Reading("lost", over=True, calm=False, says="42 of 120 are slow")
    number = await actions.open_incident(duty.day.conn, BY_ID["B1"], reading, AT, AT)
    assert number is not None
    duty.made.append(number)
    await duty.later(seconds=59)
    assert await duty.kept(number) == [], "its causes may still be looked for"
    await duty.later(seconds=2)
    assert duty.heads(number) == ["high"]
    assert "cause: not looked for yet" in duty.slack(number)[0]["text"]
