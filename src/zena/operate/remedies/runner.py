"""Applying a remedy: looked at and planned again, written down, done once, measured, taken back if it is worse."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from zena.kit.clock import Clock
from zena.kit.db import Raw
from zena.operate.incidents import endings
from zena.operate.remedies import runs
from zena.operate.remedies.contract import Planned, Refused, Remedy, Target, Tell, Verdict
from zena.operate.remedies.measuring import Before, Found, measured
from zena.operate.symptoms.catalogue import BY_ID, SYMPTOMS
from zena.operate.symptoms.contract import Look, Reading, Symptom
from zena.operate.watch.rounds import gather

if TYPE_CHECKING:
    from zena.settings import Settings

#: What a remedy waits for a lock, and for one statement; building an index sets its own.
_LIMITS: Final = "SET lock_timeout = '5s'; SET statement_timeout = '60s'"
#: Whoever applied it did not judge what came of it.
_MEASURED: Final = "measured"
#: So many digits of a plan's hash tell it from any other.
_HASH: Final = 16
_UNLIMITED: Final = "RESET lock_timeout; RESET statement_timeout"


class NotNeeded(Exception):  # noqa: N818 - says what is
    """What it was for is over."""


class Moved(Exception):  # noqa: N818 - says what is
    """The plan is another by now."""


class Later(Exception):  # noqa: N818 - says what is
    """Not now: somebody else does it, or it was tried often enough."""


@dataclass(frozen=True, slots=True)
class Hand:
    """Who applies, with what. `conn` is zena_ops; `tell` takes a line whenever there is news."""

    conn: Raw
    settings: "Settings"
    clock: Clock
    actor: str
    tell: Tell
    pace: float = 1.0

    def look(self, fresh: datetime | None = None) -> Look:
        return Look(self.conn, self.settings, self.clock.now(), self.pace, fresh)


@dataclass(frozen=True, slots=True)
class Aim:
    """What to plan for: an open incident, else a symptom's scope, else whatever of the remedy's is over its limit."""

    incident: int | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    run: int
    verdict: Verdict
    says: str
    undone: bool = False

    @property
    def helped(self) -> bool:
        return self.verdict in runs.HELPED


async def planned(hand: Hand, remedy: Remedy, aim: Aim) -> Planned:
    """Return what would be done now, and on what; nothing is done. Raises NotNeeded, Refused."""
    target = await _target(hand, remedy, aim)
    return Planned(remedy, target, await remedy.plan(hand.look(), target))


async def applied(hand: Hand, remedy: Remedy, aim: Aim, wanted: str, *, even_so: bool = False) -> Outcome:
    """Apply a plan by its hash, and find out what came of it. Raises NotNeeded, Refused, Moved, Later.

    `even_so` is a person's decision to go on though remedies did not help lately.
    """
    target = await _target(hand, remedy, aim)
    name = endings.lock_name(remedy.id, target.symptom.id, target.scope)
    if not await endings.take_lock(hand.conn, name):
        raise Later(f"somebody applies {remedy.id} to {target.says} just now")
    try:
        if not even_so:
            await _check_budget(hand, remedy, target)
        what = Planned(remedy, target, await remedy.plan(hand.look(), target))
        if len(wanted) < _HASH or not what.hash.startswith(wanted):
            raise Moved
        return await _run(hand, what)
    finally:
        if not hand.conn.is_closed():
            await endings.drop_lock(hand.conn, name)


async def taken_back(hand: Hand, remedy: Remedy, run: dict[str, Any], why: str) -> None:
    """Undo a run and write that down. Raises Refused where there is nothing to take back."""
    undo = remedy.undo
    if undo is None:
        raise Refused(f"{remedy.id} cannot be taken back: {run['plan']['undo']}")
    if run["undone_at"] is not None:
        raise Refused(f"run {run['id']} was taken back already")
    await _limited(hand.conn, lambda: undo(hand.look(), run["plan"]["acts_on"]))
    await runs.undone(hand.conn, run, hand.actor, hand.clock.now(), why)


async def _target(hand: Hand, remedy: Remedy, aim: Aim) -> Target:
    """Find what is wrong with the symptom's own detector."""
    if aim.incident is not None:
        return await _of_incident(hand, remedy, aim.incident)
    for symptom in (one for one in SYMPTOMS if one.id in remedy.symptoms):
        for reading in await symptom.watch(hand.look()):
            if reading.over and aim.scope in {None, reading.scope}:
                return Target(symptom, reading.scope, reading, await _open(hand, symptom, reading.scope))
    raise NotNeeded(f"nothing that {remedy.id} answers is over its limit now")


async def _of_incident(hand: Hand, remedy: Remedy, incident: int) -> Target:
    row = await hand.conn.fetchrow("SELECT symptom, scope, closed_at FROM ops.incident WHERE id = $1", incident)
    if row is None:
        raise Refused(f"there is no incident {incident}: `zena incident list --all` names them")
    if row["symptom"] not in remedy.symptoms:
        raise Refused(f"{remedy.id} does nothing against {row['symptom']}: `zena runbook show {row['symptom']}`")
    if row["closed_at"] is not None:
        raise NotNeeded(f"incident {incident} is closed")
    symptom = BY_ID[row["symptom"]]
    reading = await _reading(hand, symptom, row["scope"])
    if reading is None or (reading.calm and not reading.over):
        raise NotNeeded(f"{symptom.id} {row['scope']}".strip() + " is calm again")
    return Target(symptom, row["scope"], reading, incident)


async def _reading(hand: Hand, symptom: Symptom, scope: str) -> Reading | None:
    own = () if scope == "several" else (scope,)
    return next((one for one in gather(await symptom.watch(hand.look()), own) if one.scope == scope), None)


async def _open(hand: Hand, symptom: Symptom, scope: str) -> int | None:
    found: int | None = await hand.conn.fetchval(
        "SELECT id FROM ops.incident WHERE symptom = $1 AND scope = $2 AND closed_at IS NULL", symptom.id, scope
    )
    return found


async def _check_budget(hand: Hand, remedy: Remedy, target: Target) -> None:
    now = hand.clock.now()
    if await runs.spent(hand.conn, remedy.id, target, now):
        raise Later(f"{remedy.id} was applied to {target.says} {runs.BUDGET} times within the hour: it does not hold")
    if await runs.frozen(hand.conn, now):
        raise Later(f"the last {runs.FAILURES} remedies of this hour did not help: the cause may be another one")


async def _run(hand: Hand, what: Planned) -> Outcome:
    before = await Before.of(hand.look(), what.target)
    run = await runs.begin(hand.conn, what, hand.actor, hand.clock.now())
    hand.tell(f"run {run}: {what.remedy.title}")
    found = await _done(hand, what, before)
    await endings.end(hand.conn, run, found.verdict, found.says, actor=_MEASURED, now=hand.clock.now())
    undone = found.verdict == "worse" and what.remedy.undo is not None and not what.remedy.guards
    if undone and (row := await runs.one(hand.conn, run)):
        await taken_back(hand, what.remedy, row, "it became worse")
    return Outcome(run, found.verdict, found.says, undone)


async def _done(hand: Hand, what: Planned, before: Before) -> Found:
    try:
        await _limited(hand.conn, lambda: what.remedy.apply(hand.look(), what.plan.acts_on, hand.tell))
    except Refused as why:
        return Found("no_effect", str(why)[:300])
    except asyncpg.PostgresError as error:
        if hand.conn.is_closed():
            raise
        return Found("no_effect", f"it was not done: {type(error).__name__}: {error}"[:300])
    hand.tell("done; now it is measured what came of it")
    return await measured(hand.look, what, before)


async def _limited(conn: Raw, work: Callable[[], Awaitable[None]]) -> None:
    """Do something under limits of time, as zena_ops again afterwards."""
    await conn.execute(_LIMITS)
    try:
        await work()
    finally:
        if not conn.is_closed():
            await conn.execute("RESET ROLE")
            await conn.execute(_UNLIMITED)
