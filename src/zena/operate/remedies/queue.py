"""One kind of job stopped while it fails, and one that somebody forgot to let run again."""

from collections.abc import Mapping
from typing import Any, Final

from zena.kit.queue import admin
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look

_REASON: Final = "its jobs fail: paused by a remedy"
_PAUSED: Final = "SELECT reason FROM queue.paused WHERE entrypoint = $1"
_WAITING: Final = """
SELECT count(*) AS jobs, count(DISTINCT headers ->> 'tenant') AS firms FROM queue.pgqueuer
 WHERE entrypoint = $1 AND status = 'queued'
"""


async def _plan_pause(look: Look, target: Target) -> Plan:
    kind = target.scope
    if await look.conn.fetchval(_PAUSED, kind) is not None:
        raise Refused(f"{kind} is paused already: `zena queue status`")
    effects = [f"let no worker begin jobs of {kind}: they wait, and are not tried again; what runs already runs on"]
    return Plan({"kind": kind, "reason": _REASON}, effects, await _touches(look, kind), "lets them run again")


async def _plan_resume(look: Look, target: Target) -> Plan:
    kind = target.scope
    reason = await look.conn.fetchval(_PAUSED, kind)
    if reason is None:
        raise Refused(f"{kind or 'no kind of job'} is not paused: `zena queue status` shows what is")
    effects = [f"let workers run jobs of {kind} again, paused because: {reason}"]
    return Plan({"kind": kind, "reason": reason}, effects, await _touches(look, kind), "pauses them again")


async def _touches(look: Look, kind: str) -> dict[str, int]:
    row = await look.conn.fetchrow(_WAITING, kind)
    return {"jobs that wait": row["jobs"], "firms": row["firms"]} if row else {}


async def _pause(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    await _paused(look, acts_on)
    tell(f"{acts_on['kind']} is paused: workers notice within two seconds")


async def _resume(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    await _resumed(look, acts_on)
    tell(f"{acts_on['kind']} runs again")


async def _paused(look: Look, acts_on: Mapping[str, Any]) -> None:
    await admin.pause(look.conn, acts_on["kind"], acts_on["reason"])


async def _resumed(look: Look, acts_on: Mapping[str, Any]) -> None:
    await admin.resume(look.conn, acts_on["kind"])


async def _is_paused(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return await look.conn.fetchval(_PAUSED, acts_on["kind"]) is not None


async def _runs(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return not await _is_paused(look, acts_on)


PAUSE_KIND: Final = Remedy(
    "pause_kind", "let no worker begin jobs of a kind that fails",
    frozenset({("Q2", "code"), ("Q2", "dependency"), ("Q2", "payload")}), Risk.APPLICATION,
    _plan_pause, _pause, _is_paused, undo=_resumed, contains=True,
)  # fmt: skip
RESUME_QUEUE: Final = Remedy(
    "resume_queue", "let jobs of a paused kind run again", frozenset({("Q1", "paused")}), Risk.APPLICATION,
    _plan_resume, _resume, _runs, undo=_paused,
)  # fmt: skip
