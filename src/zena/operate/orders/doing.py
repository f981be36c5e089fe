"""What an order comes to: the very steps of `zena incident` and `zena runbook`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zena.operate.incidents import actions
from zena.operate.orders.book import Kind
from zena.operate.remedies import runner, runs
from zena.operate.remedies.catalogue import BY_NAME
from zena.operate.remedies.contract import Planned, Refused, Remedy, Risk
from zena.operate.remedies.runner import Aim, Hand


@dataclass(frozen=True, slots=True)
class Done:
    """How an order ended: "done" or "refused", in a line; with the plan, as JSON, where one was asked for."""

    state: str
    says: str
    plan: str | None = None


def wants_typing(kind: Kind, remedy: Remedy) -> bool:
    """Tell whether its name has to be typed: for what is final, or gives access back."""
    return (kind == "apply" and remedy.risk is Risk.FINAL) or (kind == "undo" and remedy.guards)


async def do(hand: Hand, order: Mapping[str, Any]) -> Done:
    """Do what an order says. What cannot be done is refused in a line; anything else that goes wrong is raised."""
    try:
        if order["kind"] in _TO_INCIDENTS:
            return await _to_incident(hand, order)
        return await _with_remedy(hand, order)
    except runner.NotNeeded as over:
        return Done("done", f"no longer needed: {over}; nothing was done")
    except tuple(_REFUSALS) as why:
        return Done("refused", f"{_REFUSALS[type(why)] or why}; nothing was done")


_REFUSALS: Final[dict[type[Exception], str]] = {
    actions.NoIncident: "there is no such incident any more",
    actions.Closed: "the incident is closed already",
    runner.Moved: "the state moved: plan again",
    runner.Later: "",
    Refused: "",
}
_TO_INCIDENTS: Final = frozenset({"acknowledge", "note", "close"})


async def _to_incident(hand: Hand, order: Mapping[str, Any]) -> Done:
    incident, now = order["incident_id"], hand.clock.now()
    if order["kind"] == "acknowledge":
        await actions.acknowledge(hand.conn, incident, hand.actor, now)
        return Done("done", f"{hand.actor} looks after it")
    if order["kind"] == "note":
        await actions.note(hand.conn, incident, hand.actor, order["words"], now)
        return Done("done", "noted")
    await actions.close(hand.conn, incident, hand.actor, order["words"], now)
    return Done("done", "closed")


async def _with_remedy(hand: Hand, order: Mapping[str, Any]) -> Done:
    row = await runs.one(hand.conn, order["run_id"]) if order["kind"] == "undo" else None
    if order["kind"] == "undo" and (row is None or row["incident_id"] != order["incident_id"]):
        raise Refused(f"this incident has no run {order['run_id']}")
    remedy = BY_NAME.get(row["remedy"] if row else order["remedy"])
    if remedy is None:
        raise Refused("there is no such remedy")
    if wants_typing(order["kind"], remedy) and order["words"] != remedy.id:
        raise Refused(f"{remedy.id} has to be typed to confirm it")
    aim = Aim(incident=order["incident_id"])
    if row is not None:
        await runner.taken_back(hand, remedy, row, "by a person's decision")
        return Done("done", f"run {row['id']} is taken back")
    if order["kind"] == "plan":
        what = await runner.planned(hand, remedy, aim)
        await runs.planned(hand.conn, what, hand.actor, hand.clock.now())
        return Done("done", "planned; nothing was done yet", json.dumps(_as_json(what)))
    outcome = await runner.applied(hand, remedy, aim, order["plan_hash"], even_so=order["even_so"])
    back = "; it was taken back" if outcome.undone else ""
    return Done("done", f"run {outcome.run}: {outcome.verdict}, {outcome.says}{back}")


def _as_json(what: Planned) -> dict[str, Any]:
    return {
        "effects": list(what.plan.effects), "touches": dict(what.plan.touches), "undo": what.plan.undo,
        "reading": what.target.reading.says, "hash": what.hash,
    }  # fmt: skip
