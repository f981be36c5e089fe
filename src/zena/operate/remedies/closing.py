"""Changes switched off for everybody, so that what contradicts itself is not built upon."""

from collections.abc import Mapping
from typing import Any, Final

from zena.kit.changes import here
from zena.kit.maintenance import Mode, Standing
from zena.operate.maintenance.standing import declare, read
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look

#: Seconds after which programs are told to try again.
_AGAIN: Final = 300
_WRITERS: Final = """
SELECT count(*) FROM pg_stat_activity
 WHERE usename = 'zena_app' AND datname = current_database() AND backend_xid IS NOT NULL
"""


async def _plan(look: Look, target: Target) -> Plan:  # noqa: ARG001 - it is the whole installation's
    standing = await read(look.conn)
    if standing.mode is not Mode.UP:
        raise Refused(f"changes are off already since {standing.since:%Y-%m-%d %H:%M} UTC: `zena up` switches them on")
    effects = ["switch changes off: everybody reads on, a change is answered 503, jobs wait",
               "break off transactions that have not ended within ten seconds"]  # fmt: skip
    touches = {"transactions that write now": await look.conn.fetchval(_WRITERS)}
    return Plan({"mode": str(Mode.READ_ONLY)}, effects, {"installations": 1} | touches, "switches changes on again")


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    done = await declare(look.conn, Standing(Mode(acts_on["mode"]), "", _AGAIN), actor=here())
    tell("changes are switched off" + (f"; {done.cut} transactions were broken off" if done.cut else ""))


async def _off(look: Look, acts_on: Mapping[str, Any]) -> bool:  # noqa: ARG001 - there is one standing
    return (await read(look.conn)).mode is not Mode.UP


async def _undo(look: Look, acts_on: Mapping[str, Any]) -> None:
    standing = await read(look.conn)
    if str(standing.mode) != acts_on["mode"]:
        raise Refused(
            f"the installation is {standing.mode} by now, by somebody else's decision: `zena up`, `zena down`"
        )
    await declare(look.conn, Standing(), actor=here())


READ_ONLY: Final = Remedy(
    "read_only", "switch changes off", frozenset({("X2", "bad_disk"), ("X2", "broken_rows")}), Risk.APPLICATION,
    _plan, _apply, _off, undo=_undo, contains=True,
)  # fmt: skip
