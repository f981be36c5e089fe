"""What is set too tightly, given more room for a day: how long figures are kept, how many may listen."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms import d2_wrong_figures
from zena.operate.symptoms.contract import Look
from zena.operate.tuning import knobs, store
from zena.operate.tuning.knobs import FIRM_SOCKETS, KNOBS, STRANGERS, Knob

#: So much more of it, for so long.
_TIMES: Final = 2
_FOR: Final = timedelta(hours=24)
#: As whom a remedy sets it.
_ACTOR: Final = "remedy"


async def _plan_life(look: Look, target: Target) -> Plan:
    knob = knobs.life(target.scope)
    if knob is None:
        raise Refused(f"how long values of {target.scope!r} are kept cannot be set while it runs")
    if any(one.over for one in await d2_wrong_figures.watch(look)):
        raise Refused("figures are wrong just now, and would be wrong for longer: `zena doctor D2` first")
    return await _plan(look, target, knob)


async def _plan_limit(look: Look, target: Target) -> Plan:
    failed = target.reading.facts.get("failed", {})
    name = FIRM_SOCKETS if failed.get("firm_full", 0) >= failed.get("strangers", 0) else STRANGERS
    return await _plan(look, target, KNOBS[name])


async def _plan(look: Look, target: Target, knob: Knob) -> Plan:
    """Plan twice as much, or what it is otherwise if somebody has set it to less than half of that."""
    was = next((one for one in await store.listed(look.conn) if one["name"] == knob.name), None)
    ordinary = knob.otherwise(look.settings)
    now = float(was["value"]) if was else ordinary
    wanted = min(knob.most, max(ordinary, now * _TIMES))
    if wanted <= now:
        raise Refused(f"{knob.name} is {now:g} already, the most there is: {target.reading.says}")
    unit = knob.unit and f" {knob.unit}"
    back = wanted == ordinary
    how = "what somebody set ends" if back else f"for {_FOR.total_seconds() / 3600:g} hours, then it ends by itself"
    former = {"value": now, "until": was["until"].isoformat(), "why": was["why"]} if was else None
    return Plan(
        {"knob": knob.name, "value": None if back else wanted, "at_least": wanted, "was": former},
        [f"{knob.title}: from {now:g}{unit} to {wanted:g}{unit}; {how}"], {"settings": 1},
        f"sets {now:g}{unit} again" if was else "lets it be again what the settings say",
    )  # fmt: skip


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    knob = KNOBS[acts_on["knob"]]
    if acts_on["value"] is None:
        await store.untune(look.conn, knob, _ACTOR)
        tell(f"{knob.name} is as the settings say")
        return
    wanted = store.Tuning(knob, acts_on["value"], look.now, look.now + _FOR, _ACTOR, "it was too tight")
    await store.tune(look.conn, wanted)
    tell(f"{knob.name} is {acts_on['value']:g} for a day")


async def _undo(look: Look, acts_on: Mapping[str, Any]) -> None:
    knob, was = KNOBS[acts_on["knob"]], acts_on["was"]
    until = datetime.fromisoformat(was["until"]) if was else look.now
    if until > look.now:
        await store.tune(look.conn, store.Tuning(knob, was["value"], look.now, until, _ACTOR, was["why"]))
    else:
        await store.untune(look.conn, knob, _ACTOR)


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:
    knob = KNOBS[acts_on["knob"]]
    in_force = (await store.in_force(look.conn)).get(knob.name, knob.otherwise(look.settings))
    return bool(in_force >= acts_on["at_least"])


LENGTHEN_LIFE: Final = Remedy(
    "lengthen_life", "keep figures of a family for longer", frozenset({("C1", "short_life")}), Risk.APPLICATION,
    _plan_life, _apply, _gone, undo=_undo,
)  # fmt: skip
RAISE_LIMIT: Final = Remedy(
    "raise_limit", "let more people listen at once", frozenset({("W1", "limit_reached")}), Risk.APPLICATION,
    _plan_limit, _apply, _gone, undo=_undo,
)  # fmt: skip
