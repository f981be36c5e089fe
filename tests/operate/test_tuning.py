"""What is set for a while: every process follows, it ends by itself, and remedies set it within bounds."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.operate.commands import Terminal
from tests.operate.remedied import PACE, Ward, warded
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.remedies.contract import Refused, Remedy
from zena.operate.remedies.runner import Aim, planned
from zena.operate.remedies.tuning import LENGTHEN_LIFE, RAISE_LIMIT
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.telemetry.shadow import counting
from zena.operate.tuning.knobs import FIRM_SOCKETS, KNOBS, STRANGERS, limits
from zena.operate.tuning.store import Tuning, in_force, listed, tune, untune

AT = datetime(2031, 5, 20, 6, 0, tzinfo=UTC)
TASKS = KNOBS["cache.life.tasks"]


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made
        await day.conn.execute("DELETE FROM ops.tuning")


@pytest.fixture
def terminal(urls: ClusterUrls, tmp_path: Path) -> Terminal:
    return Terminal(urls, tmp_path)


async def _follows(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not there():  # noqa: ASYNC110 - it is read from the database twice a second
            await asyncio.sleep(0.05)


def for_a_while(state: State, knob: Any, value: float, seconds: float = 60) -> Tuning:
    now = state.clock.now()
    return Tuning(knob, value, now, now + timedelta(seconds=seconds), "somebody", "to try it")


async def test_a_process_follows_and_it_ends_by_itself(ward: Ward, state: State) -> None:
    conn = ward.day.conn
    assert state.hub is not None
    ordinary = state.hub.limits
    await tune(conn, for_a_while(state, TASKS, 120, 2))
    await tune(conn, for_a_while(state, KNOBS[FIRM_SOCKETS], 700))
    await _follows(lambda: state.cache.lives == {"tasks": 120})
    await _follows(lambda: state.hub is not None and state.hub.seats.limits.connections_per_tenant == 700)
    assert state.hub.limits == limits(state.settings, {FIRM_SOCKETS: 700})
    await _follows(lambda: state.cache.lives == {})
    assert await untune(conn, KNOBS[FIRM_SOCKETS], "somebody")
    await _follows(lambda: state.hub is not None and state.hub.limits == ordinary)
    assert not await untune(conn, KNOBS[FIRM_SOCKETS], "somebody"), "once is enough"


async def test_a_value_is_kept_for_as_long_as_was_set(state: State) -> None:
    async def load() -> int:
        return 1

    async def left(family: str) -> float:
        found = await state.cache.get_or_load(
            tenant=new_id(), family=family, name="all", version=1, local_date=AT.date(), ttl=60.0, loader=load,
        )  # fmt: skip
        return (found.expires_at - found.generated_at).total_seconds()

    state.cache.lives = {"tasks": 120}
    try:
        assert (await left("tasks"), await left("team")) == (120, 60)
    finally:
        state.cache.lives = {}


async def test_nothing_is_set_for_longer_than_a_day(ward: Ward, state: State) -> None:
    with pytest.raises(Exception, match="ck_tuning_while"):
        await tune(ward.day.conn, for_a_while(state, TASKS, 120, 86_400 * 2))
    assert await in_force(ward.day.conn) == {}


async def test_the_commands(ward: Ward, terminal: Terminal) -> None:
    async def said(*words: str) -> Any:
        return json.loads((await terminal("tuning", *words, "--json")).out)

    name, why = FIRM_SOCKETS, ("--for", "2h", "--why", "a fair")
    for wrong in (("nan", *why), ("5000", *why), ("100", "--for", "2d", "--why", "x")):
        assert (await terminal("tuning", "set", name, *wrong)).code == Exit.USAGE, wrong
    unknown = await terminal("tuning", "set", "pool.size", "5", *why)
    assert (unknown.code, "live.strangers" in unknown.err) == (Exit.USAGE, True)
    assert (await said("set", name, "100", *why))["value"] == 100
    found = {row["name"]: row for row in (await said("list"))["tuning"]}
    assert found.keys() == KNOBS.keys()
    assert (found[name]["value"], found[name]["otherwise"], found[name]["why"]) == (100, 50, "a fair")
    assert found[STRANGERS]["until"] is None
    assert f"tuning     {name} 100 until" in (await terminal("status")).out
    made = "SELECT what FROM ops.change WHERE kind = 'setting' ORDER BY id DESC LIMIT 1"
    assert (await ward.day.conn.fetchval(made)).startswith(f"{name} is 100 until")
    assert (await said("end", name))["ended"] is True
    again = await terminal("tuning", "end", name)
    assert (again.code, "nothing to do" in again.out) == (Exit.OK, True)


def minutes(ward: Ward) -> Iterator[None]:
    """Two of them, at the pace of remedies."""
    ward.day.made.length = 60 * PACE
    for _ in range(2):
        ward.day.later(seconds=60 * PACE)
        yield


def misses(ward: Ward, reason: str = "expired") -> None:
    for _ in minutes(ward):
        for number in range(300):
            ward.day.made.cache("tasks", reason if number % 2 else None)


async def test_figures_that_end_too_soon_are_kept_for_twice_as_long(ward: Ward) -> None:
    conn = ward.day.conn
    misses(ward)
    await ward.day.look()
    aim = Aim(incident=await ward.incident(BY_ID["C1"], "tasks"))
    acts_on = await mended(ward, LENGTHEN_LIFE, aim)
    assert await in_force(conn) == {TASKS.name: 120}
    await undone(ward, LENGTHEN_LIFE, acts_on)
    assert await in_force(conn) == {}
    await tune(conn, Tuning(TASKS, 200, ward.day.now, ward.day.now + timedelta(hours=1), "somebody", "before"))
    acts_on = await mended(ward, LENGTHEN_LIFE, aim)
    assert await in_force(conn) == {TASKS.name: TASKS.most}
    with pytest.raises(Refused, match="the most there is"):
        await planned(ward.hand, LENGTHEN_LIFE, aim)
    await undone(ward, LENGTHEN_LIFE, acts_on)
    assert [(row["value"], row["why"]) for row in await listed(conn)] == [(200, "before")]


async def mended(ward: Ward, remedy: Remedy, aim: Aim) -> Mapping[str, Any]:
    """Apply without measuring: nobody asks for anything here. The lab does."""
    what = await planned(ward.hand, remedy, aim)
    assert not await remedy.gone(ward.hand.look(), what.plan.acts_on)
    await remedy.apply(ward.hand.look(), what.plan.acts_on, ward.lines.append)
    assert await remedy.gone(ward.hand.look(), what.plan.acts_on)
    return what.plan.acts_on


async def undone(ward: Ward, remedy: Remedy, acts_on: Mapping[str, Any]) -> None:
    assert remedy.undo is not None
    await remedy.undo(ward.hand.look(), acts_on)


async def test_a_life_that_somebody_made_short_ends(ward: Ward) -> None:
    conn = ward.day.conn
    await tune(conn, Tuning(TASKS, 5, ward.day.now, ward.day.now + timedelta(hours=1), "somebody", "fresh figures"))
    misses(ward)
    await ward.day.look()
    aim = Aim(incident=await ward.incident(BY_ID["C1"], "tasks"))
    what = await planned(ward.hand, LENGTHEN_LIFE, aim)
    assert "from 5 s to 60 s" in what.plan.effects[0]
    await mended(ward, LENGTHEN_LIFE, aim)
    assert await in_force(conn) == {}


async def test_figures_that_are_wrong_are_not_kept_for_longer(ward: Ward) -> None:
    misses(ward)
    counting(ward.day.made)("tasks", new_id(), "wrong_value", ["open"])
    await ward.day.look()
    aim = Aim(incident=await ward.incident(BY_ID["C1"], "tasks"))
    with pytest.raises(Refused, match="D2"):
        await planned(ward.hand, LENGTHEN_LIFE, aim)


@pytest.mark.parametrize(("full", "name", "wanted"), [("firm_full", FIRM_SOCKETS, 100), ("strangers", STRANGERS, 1000)])
async def test_more_may_listen(ward: Ward, full: str, name: str, wanted: float) -> None:
    for _ in minutes(ward):
        for what in ["in"] * 10 + [full] * 20:
            ward.day.made.live("enter", what)
    await ward.day.look()
    acts_on = await mended(ward, RAISE_LIMIT, Aim())
    assert await in_force(ward.day.conn) == {name: wanted}
    await undone(ward, RAISE_LIMIT, acts_on)
    assert await in_force(ward.day.conn) == {}
