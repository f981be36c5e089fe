"""Held jobs that failed alike: run again, one first and no further than the first that fails; or deleted for good."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from zena.kit.queue.failures import Failure, copy_in, discard, failures
from zena.operate.queue.retrying import Busy, retry
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look
from zena.operate.symptoms.q2_failing_jobs import cause_of

_MOST: Final = 200
#: Seconds that one wave may take.
_PATIENCE: Final = 60


async def _plan(look: Look, target: Target) -> Plan:
    held = await failures(look.conn, kind=target.scope, limit=_MOST)
    if not held:
        raise Refused(f"no job of {target.scope} is held: what failed is tried again by itself")
    alike = _most_alike(held)
    which = f"held jobs of {target.scope} that failed as {alike[0].fingerprint}"
    effects = [f"run {which} again: one, then ten, then five a second",
               "stop at the first that fails again; the rest stays held"]  # fmt: skip
    return Plan(_acts_on(alike), effects, _touches(alike), "none: a job that ran has run")


def _most_alike(held: Sequence[Failure]) -> list[Failure]:
    """Return the largest group that failed in one way, oldest first."""
    counts = Counter(one.fingerprint for one in held)
    fingerprint = max(sorted(counts), key=lambda name: counts[name])
    return sorted((one for one in held if one.fingerprint == fingerprint), key=lambda one: one.id)


def _acts_on(alike: Sequence[Failure]) -> dict[str, Any]:
    return {"kind": alike[0].kind, "fingerprint": alike[0].fingerprint, "jobs": [one.id for one in alike]}


def _touches(alike: Sequence[Failure]) -> dict[str, int]:
    return {"jobs": len(alike), "firms": len({one.tenant for one in alike})}


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


async def _plan_discard(look: Look, target: Target) -> Plan:
    """Plan for arguments alone that cannot be read: whatever else a job failed of may be mended, and the job run."""
    held = await failures(look.conn, kind=target.scope, limit=_MOST)
    firms: defaultdict[str, set[str | None]] = defaultdict(set)
    for one in held:
        firms[one.fingerprint].add(one.tenant)
    unreadable = [one for one in held if cause_of(one.error, len(firms[one.fingerprint])) == "payload"]
    if not unreadable:
        raise Refused(
            f"no job of {target.scope} is held for arguments that cannot be read: mend what it failed of, then"
            " `zena runbook plan retry_failed`"
        )
    alike = _most_alike(unreadable)
    which = f"held jobs of {target.scope} that failed as {alike[0].fingerprint} ({alike[0].error})"
    effects = [f"write a copy of {which} into a file under exports, in the data directory",
               "delete them: what they were to do is not done"]  # fmt: skip
    return Plan(_acts_on(alike), effects, _touches(alike), "none: the copy tells what to do by hand")


async def _discard(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    copy = copy_in(look.settings.data_dir, look.now)
    try:
        count = await discard(look.conn, acts_on["jobs"], copy)
    except OSError as error:
        why = f"exports in the data directory cannot be written ({type(error).__name__}): nothing was deleted"
        raise Refused(why) from error
    tell(f"{count} deleted; a copy of each is in {copy.name}, under exports in the data directory")


DISCARD_HELD: Final = Remedy(
    "discard_held", "delete held jobs that nobody can run", frozenset({("Q2", "payload")}), Risk.FINAL,
    _plan_discard, _discard, _gone,
)  # fmt: skip
RETRY_FAILED: Final = Remedy(
    "retry_failed", "run held jobs again", frozenset({("Q2", "dependency"), ("Q2", "code")}), Risk.APPLICATION,
    _plan, _apply, _gone,
)  # fmt: skip
