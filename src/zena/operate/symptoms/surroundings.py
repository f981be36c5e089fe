"""Causes that any symptom may have: a change just before, sessions that hold others up, rights that were lost."""

import asyncio
from typing import Any, Final

from zena.operate import changes
from zena.operate.database.activity import sessions
from zena.operate.integrity.posture import MISSING_RIGHT, wrong
from zena.operate.symptoms.contract import Evidence, Hypothesis, Look

#: How far back a change is taken for a cause, minutes.
RECENT: Final = 15
#: What an installation does by itself each night explains nothing by having happened.
_QUIET: Final = frozenset({"backup"})
#: What a remedy did was measured at once, and taken back where it made worse what it was for.
_MEASURED: Final = 0.2
#: A lock that is held and let go again and again is not held at every moment. Pause in seconds.
_LOOKS, _PAUSE = 6, 0.2
_OWN: Final = frozenset({"zena-symptoms", "zena-watch"})


async def recent_change(look: Look) -> Hypothesis | None:
    """Return the latest change of the last minutes as a possible cause; None without one."""
    found = [one for one in await changes.listed(look.conn, look.since(RECENT), limit=20) if one["kind"] not in _QUIET]
    found = [one for one in found if one["at"] <= look.now]
    if not found:
        return None
    told = [
        Evidence("changes", f"{one['at']:%H:%M:%S} UTC {one['kind']}: {one['what']}", {"id": one["id"]})
        for one in found[:3]
    ]
    says = f"{found[0]['kind']} at {found[0]['at']:%H:%M:%S} UTC, shortly before: {found[0]['what']}"
    likely = _MEASURED if found[0]["kind"] == "remedy" else 0.35
    return Hypothesis("recent_change", likely, says, told, "zena changes")


async def blocked_sessions(look: Look) -> Hypothesis | None:
    """Return who holds others up in the database just now; None when in several looks nobody waits for a lock."""
    waiting: list[dict[str, Any]] = []
    for _ in range(_LOOKS):
        found = await sessions(look.conn, everything=False)
        waiting = [one for one in found if one["waits_for"] and not _OWN.intersection(one["who"].split())]
        if waiting:
            break
        await asyncio.sleep(_PAUSE)
    else:
        return None
    first = waiting[0]
    says = f"{len(waiting)} sessions wait for a lock; {first['who']} for {first['age']} for {first['waits_for']}"
    told = [
        Evidence("sessions", f"pid {one['pid']} waits for {one['waits_for']}: {one['statement'][:120]}")
        for one in waiting[:3]
    ]
    return Hypothesis("lock", 0.9, says, told, "zena db activity")


async def lost_right(look: Look) -> Hypothesis | None:
    """Return what the application may no longer do in the database though it is made to; None where it may it all."""
    for found in await wrong(look.conn, MISSING_RIGHT):
        says = f"the application lost {found.count} of its rights in the database: {', '.join(found.sample)}"
        return Hypothesis("right_missing", 0.9, says, [Evidence("catalogue", says)], "zena runbook plan restore_rights")
    return None
