"""The way every remedy goes: planned, locked, looked at again, written down, done, measured, taken back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from tests.operate.remedied import HOUR, Ward, warded
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.incidents import endings
from zena.operate.remedies import catalogue, runs
from zena.operate.remedies.automatic import apply_due
from zena.operate.remedies.contract import Plan, Planned, Remedy, Risk, Target, Tell
from zena.operate.remedies.interrupted import DONE, NOT_DONE, UNKNOWN, finish_interrupted
from zena.operate.remedies.runner import Aim, Hand, Later, Moved, NotNeeded, applied, planned
from zena.operate.symptoms import b2_connections
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Look, Reading, Symptom, ranked

AT = datetime(2031, 3, 4, 5, 0, tzinfo=UTC)


@dataclass
class Ill:
    """A symptom that says what the test wants, under the id of a real one, and a remedy that does what it wants."""

    value: float = 1.0
    after: float = 0.0
    mends: bool | None = True
    acts_on: dict[str, Any] = field(default_factory=lambda: {"what": "this"})
    done: list[str] = field(default_factory=list)
    breaks: Exception | None = None

    async def watch(self, look: Look) -> list[Reading]:
        over = self.value > 0.5
        return [Reading(scope, over, not over, f"value {self.value:g}", self.value, 0.5) for scope in ("here", "there")]

    async def plan(self, look: Look, target: Target) -> Plan:
        return Plan(self.acts_on, ["mend it"], {"things": 1}, "break it again")

    async def apply(self, look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
        self.done.append("applied")
        if self.breaks:
            raise self.breaks
        self.value = self.after

    async def gone(self, look: Look, acts_on: Mapping[str, Any]) -> bool:
        if self.mends is None:
            raise LookupError
        return self.mends

    async def undo(self, look: Look, acts_on: Mapping[str, Any]) -> None:
        self.done.append("undone")

    @property
    def remedy(self) -> Remedy:
        return Remedy(
            "mend",
            "mend it",
            frozenset({("B2", "lock")}),
            Risk.APPLICATION,
            self.plan,
            self.apply,
            self.gone,
            self.undo,
        )


@pytest.fixture
def ill(monkeypatch: pytest.MonkeyPatch) -> Ill:
    made = Ill()

    async def diagnose(look: Look, reading: Reading) -> Any:
        return ranked([])

    real = b2_connections.SYMPTOM
    symptom = Symptom("B2", real.title, real.severity, made.watch, diagnose, real.causes)
    monkeypatch.setitem(BY_ID, "B2", symptom)
    return made


@pytest.fixture
def mend(ill: Ill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is the only one there is."""
    monkeypatch.setattr(catalogue, "REMEDIES", (ill.remedy,))


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made


@pytest.fixture
async def aim(ward: Ward, ill: Ill) -> Aim:
    return Aim(incident=await ward.incident(BY_ID["B2"], "here"))


async def test_what_helped_is_told_to_the_incident_and_counted(ward: Ward, ill: Ill, aim: Aim) -> None:
    assert aim.incident is not None
    what = await planned(ward.hand, ill.remedy, aim)
    for _ in range(2):
        await runs.planned(ward.day.conn, what, "somebody", ward.day.now)
    outcome = await ward.heal(ill.remedy, aim)
    assert (outcome.verdict, outcome.helped, ill.done) == ("fixed", True, ["applied"])
    kinds = [kind for kind, _ in await ward.told(aim.incident)]
    assert kinds == ["opened", "remedy planned", "remedy applied", "remedy verdict"]
    assert (await runs.efficacy(ward.day.conn))["mend"].startswith("fixed 1 of 1")
    change = "SELECT what FROM ops.change WHERE kind = 'remedy' AND after ->> 'run' = $1"
    assert await ward.day.conn.fetchval(change, str(outcome.run)) == "mend for B2 here"


async def test_another_hash_is_refused_and_nothing_is_done(ward: Ward, ill: Ill, aim: Aim) -> None:
    what = await planned(ward.hand, ill.remedy, aim)
    ill.acts_on = {"what": "that"}
    for wrong in (what.hash, "", what.hash[:8]):
        with pytest.raises(Moved):
            await applied(ward.hand, ill.remedy, aim, wrong)
    assert ill.done == []
    assert await ward.day.conn.fetchval("SELECT count(*) FROM ops.remedy_run WHERE incident_id = $1", aim.incident) == 0


async def test_two_at_once_are_one(ward: Ward, ill: Ill, aim: Aim, urls: ClusterUrls) -> None:
    other = await asyncpg.connect(urls.ops)
    try:
        assert await endings.take_lock(other, endings.lock_name("mend", "B2", "here"))
        with pytest.raises(Later, match="just now"):
            await ward.heal(ill.remedy, aim)
    finally:
        await other.close()
    assert ill.done == []


async def test_what_is_over_is_no_longer_needed(ward: Ward, ill: Ill, aim: Aim) -> None:
    what = await planned(ward.hand, ill.remedy, aim)
    ill.value = 0.1
    with pytest.raises(NotNeeded):
        await applied(ward.hand, ill.remedy, aim, what.hash)
    assert ill.done == []


async def test_what_makes_it_worse_is_taken_back(ward: Ward, ill: Ill, aim: Aim) -> None:
    assert aim.incident is not None
    ill.after, ill.mends = 2.0, False
    outcome = await ward.heal(ill.remedy, aim)
    assert (outcome.verdict, outcome.undone, ill.done) == ("worse", True, ["applied", "undone"])
    assert [kind for kind, _ in await ward.told(aim.incident)][-2:] == ["remedy verdict", "remedy undone"]


async def test_what_does_not_help_says_so_and_three_of_it_stop_everything(ward: Ward, ill: Ill, aim: Aim) -> None:
    ill.after, ill.mends = 1.0, False
    ill.breaks = asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
    for _ in range(3):
        assert (await ward.heal(ill.remedy, aim)).verdict == "no_effect"
    with pytest.raises(Later, match="3 times within the hour"):
        await ward.heal(ill.remedy, aim)
    ill.breaks, ill.after, ill.mends, ill.done = None, 0.0, True, []
    there = Aim(incident=await ward.incident(BY_ID["B2"], "there"))
    with pytest.raises(Later, match="did not help"):
        await ward.heal(ill.remedy, there)
    assert ill.done == [], "nothing is tried elsewhere either"
    assert (await ward.heal(ill.remedy, there, even_so=True)).verdict == "fixed"
    assert not await runs.frozen(ward.day.conn, ward.day.now), "one that helped ends it"


async def test_an_hour_later_it_may_be_tried_again(ward: Ward, ill: Ill, aim: Aim) -> None:
    ill.breaks = asyncpg.LockNotAvailableError("no")
    for _ in range(3):
        await ward.heal(ill.remedy, aim)
    ill.breaks, ill.value = None, 1.0
    ward.day.now += HOUR
    assert (await ward.heal(ill.remedy, aim)).verdict == "fixed"


@pytest.mark.parametrize(("gone", "left"), [(True, DONE), (False, NOT_DONE), (None, f"{UNKNOWN} (LookupError)")])
async def test_a_run_whose_process_was_killed_is_ended_by_the_next(
    ward: Ward, ill: Ill, aim: Aim, urls: ClusterUrls, monkeypatch: pytest.MonkeyPatch, gone: bool | None, left: str
) -> None:
    """Killed after the row, before or after the effect: the session is gone, the row has no end."""
    assert aim.incident is not None
    monkeypatch.setitem(catalogue.BY_NAME, "mend", ill.remedy)
    ill.mends = gone
    killed = await asyncpg.connect(urls.ops)
    hand = Hand(killed, ward.day.state.settings, ward.hand.clock, "somebody", ward.lines.append)
    what: Planned = await planned(hand, ill.remedy, aim)
    assert await endings.take_lock(killed, endings.lock_name("mend", "B2", "here"))
    run = await runs.begin(killed, what, "somebody", ward.day.now)
    assert run not in await finish_interrupted(ward.hand.look()), "it is under way"
    killed.terminate()
    found: dict[int, str] = {}
    async with asyncio.timeout(5):
        while run not in found:
            found = await finish_interrupted(ward.hand.look())
    assert found[run] == left
    assert (await ward.told(aim.incident))[-1] == ("remedy verdict", f"run {run}: interrupted, {left}")
    ill.mends = True
    assert (await ward.heal(ill.remedy, aim)).verdict == "fixed", "the same plan is a run of its own"


async def test_what_was_named_for_it_is_applied_once_without_being_asked(
    ward: Ward, ill: Ill, aim: Aim, mend: None
) -> None:
    assert aim.incident is not None
    number = aim.incident
    assert await apply_due(ward.hand, ["D1"]) == [], "not named"
    await ward.day.conn.execute("UPDATE ops.incident SET cause = 'strangers' WHERE id = $1", number)
    assert await apply_due(ward.hand, ["B2"]) == [], "nothing answers that"
    await ward.day.conn.execute("UPDATE ops.incident SET cause = 'lock' WHERE id = $1", number)
    assert [one.verdict for one in await apply_due(ward.hand, ["B2"])] == ["fixed"]
    kinds = [kind for kind, _ in await ward.told(number)]
    assert kinds == ["opened", "remedy planned", "remedy applied", "remedy verdict"]
    ill.value = 1.0
    assert await apply_due(ward.hand, ["B2"]) == [], "once at most"


async def test_three_failures_freeze_what_is_applied_without_being_asked(
    ward: Ward, ill: Ill, aim: Aim, mend: None
) -> None:
    await ward.day.conn.execute(
        "UPDATE ops.incident SET cause = 'lock' WHERE symptom = 'B2' AND opened_at > '2031-01-01'"
    )
    ill.breaks = asyncpg.LockNotAvailableError("no")
    for _ in range(3):
        await ward.heal(ill.remedy, aim)
    there = await ward.incident(BY_ID["B2"], "there")
    await ward.day.conn.execute("UPDATE ops.incident SET cause = 'lock' WHERE id = $1", there)
    ill.breaks, ill.done = None, []
    for _ in range(2):
        assert await apply_due(ward.hand, ["B2"]) == []
    assert ill.done == []
    notes = [text for kind, text in await ward.told(there) if kind == "note"]
    assert notes == [
        "mend is not applied by itself: the last 3 remedies of this hour did not help: the cause may be another one"
    ]
