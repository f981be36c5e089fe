"""Held jobs that failed alike, run again: one first, and no further than the first that fails again."""

from collections.abc import Mapping
from typing import Any, Final

from zena.kit.queue.failures import failures
from zena.operate.queue.retrying import Busy, retry
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look

_MOST: Final = 200
#: Seconds that one wave may take.
_PATIENCE: Final = 60


async def _plan(look: Look, target: Target) -> Plan:
    held = await failures(look.conn, kind=target.scope, limit=_MOST)
    if not held:
        raise Refused(f"no job of {target.scope} is held: what failed is tried again by itself")
    counts: dict[str, int] = {}
    for one in held:
        counts[one.fingerprint] = counts.get(one.fingerprint, 0) + 1
    fingerprint = max(sorted(counts), key=lambda name: counts[name])
    ids = sorted(one.id for one in held if one.fingerprint == fingerprint)
    effects = [f"run held jobs of {target.scope} again that failed as {fingerprint}: one, then ten, then five a second",
               "stop at the first that fails again; the rest stays held"]  # fmt: skip
    firms = {one.tenant for one in held if one.fingerprint == fingerprint}
    return Plan({"kind": target.scope, "fingerprint": fingerprint, "jobs": ids}, effects,
                {"jobs": len(ids), "firms": len(firms)}, "none: a job that ran has run")  # fmt: skip


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    held = await failures(look.conn, ids=acts_on["jobs"], limit=_MOST)
    try:
        groups = await retry(look.conn, held, patience=_PATIENCE * look.pace, tell=tell)
    except Busy:
        raise Refused("another retry is under way") from None
    for group in groups:
        tell(f"{group.done} done, {group.left} still held" + (f": {group.stopped}" if group.stopped else ""))


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return not await failures(look.conn, ids=acts_on["jobs"], limit=1)


RETRY_FAILED: Final = Remedy(
    "retry_failed", "run held jobs again", frozenset({("Q2", "dependency"), ("Q2", "code")}), Risk.APPLICATION,
    _plan, _apply, _gone,
)  # fmt: skip
