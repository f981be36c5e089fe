"""W1: what an attempt to open a live connection came to, and when it is told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.operate.watched import Day, own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.incidents import actions
from zena.operate.symptoms import t2_broken_fence
from zena.operate.symptoms.contract import Reading, Severity
from zena.operate.symptoms.w1_refused_sockets import SYMPTOM, _taking
from zena.operate.watch.rounds import gather

AT = datetime(2031, 11, 14, 12, 0, tzinfo=UTC)


@pytest.fixture
async def day(state: State, urls: ClusterUrls) -> AsyncIterator[Day]:
    async with own_day(state, urls.ops, AT) as made:
        yield made


def attempts(day: Day, **counts: int) -> None:
    """Count attempts over two minutes."""
    for _ in range(2):
        day.later(minutes=1)
        for what, number in counts.items():
            for _ in range(number):
                day.made.live("enter", what)


async def reading(day: Day) -> Reading:
    return next(one for one in await SYMPTOM.watch(await day.look()) if one.scope == "")


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("origin", "origin"),
        ("no_upgrade", "proxy_strips_upgrade"),
        ("firm_full", "limit_reached"),
        ("strangers", "limit_reached"),
        ("leaving", "draining_too_long"),
        ("ticket", "ticket_refused"),
        ("away", "database_away"),
        ("broken", "code"),
    ],
)
async def test_a_share_of_failed_attempts_opens_with_its_cause(day: Day, what: str, cause: str) -> None:
    attempts(day, **{"in": 20, "left": 2, what: 6})
    found = await reading(day)
    assert found.over, found
    why = await SYMPTOM.diagnose(await day.look(), found)
    assert why.cause == cause
    assert cause in SYMPTOM.causes
    assert cause not in {name for name, _ in why.ruled_out}


async def test_an_earlier_cause_is_not_named_for_a_later_fault(day: Day) -> None:
    attempts(day, **{"in": 10}, origin=50)
    day.later(minutes=10)
    attempts(day, **{"in": 10}, firm_full=5)
    why = await SYMPTOM.diagnose(await day.look(), await reading(day))
    assert why.cause == "limit_reached"
    assert "origin" in {name for name, _ in why.ruled_out}


async def test_what_is_not_our_fault_opens_nothing(day: Day) -> None:
    attempts(day, **{"in": 5}, token=30, foreign=30, person_full=30, closed=30, left=30, silent=30, no_access=30)
    found = await reading(day)
    assert (found.over, found.calm) == (False, True)


async def test_few_attempts_prove_nothing_and_a_restart_is_a_moment(day: Day) -> None:
    attempts(day, origin=1)
    assert (await reading(day)).over is None
    day.later(minutes=40)
    attempts(day, **{"in": 30})
    for _ in range(10):
        day.made.live("enter", "leaving")
    assert (await reading(day)).over is False


def test_no_process_that_gives_a_sign_of_life_opens_and_none_at_all_says_nothing() -> None:
    silent: list[dict[str, Any]] = [{"role": "web", "alive": False}, {"role": "web", "alive": False}]
    assert _taking([]) == []
    assert [one.over for one in _taking(silent)] == [True]
    assert [one.over for one in _taking([*silent, {"role": "web", "alive": True}])] == [False]


def test_web_processes_do_not_help_where_others_take_the_connections() -> None:
    web, alone = {"role": "web", "alive": True}, {"role": "websocket", "alive": False}
    assert [(one.over, one.facts) for one in _taking([web, alone])] == [(True, {"alive": 0})]
    assert [one.over for one in _taking([web, alone, alone | {"alive": True}])] == [False]


async def test_a_reading_may_be_less_grave_than_its_symptom(day: Day) -> None:
    own = Reading("person x of y", over=True, calm=False, says="searching", severity=Severity.HIGH)
    plain = Reading("a fence of this test", over=True, calm=False, says="fallen")
    for one, severity in ((own, "high"), (plain, "critical")):
        async with day.conn.transaction():
            made = await actions.open_incident(day.conn, t2_broken_fence.SYMPTOM, one, day.now, day.now)
        assert await day.conn.fetchval("SELECT severity FROM ops.incident WHERE id = $1", made) == severity
    many = [Reading(f"person {n}", over=True, calm=False, says="", severity=Severity.HIGH) for n in range(5)]
    assert [one.severity for one in gather(many, ())] == [Severity.HIGH]
    assert gather([*many, plain], ())[0].severity is None, "the gravest decides"
