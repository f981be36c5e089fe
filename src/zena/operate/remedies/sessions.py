"""Sessions of ours that hold others up, or do nothing inside a transaction: cancelled first, ended if need be."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look

#: So long a session that was cancelled has to let go, seconds; then it is ended.
_GRACE: Final = 30
_POLL: Final = 0.1
#: So many looks in a row without it, and it has let go for good.
_FREE: Final = 8
#: A lock that is held again and again is not held at every moment.
_LOOKS, _PAUSE = 8, 0.2
#: A transaction that does nothing for so long is a leak, minutes, as the detector says.
_IDLE: Final = 1
_ROLLED_BACK: Final = "none: what it did is rolled back, and whoever asked has to ask again"

# Those who wait themselves are let alone: it is the first of the row who holds everybody up.
_BLOCKERS: Final = """
WITH waiting AS (
    SELECT pid, pg_blocking_pids(pid) AS blockers FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock')
SELECT b.pid, b.backend_start::text AS started, b.application_name AS application, b.usename AS role, b.state,
       b.backend_type = 'client backend' AND b.application_name LIKE 'zena%' AND NOT r.rolsuper AS ours,
       count(*) AS waiting
  FROM pg_stat_activity b JOIN waiting w ON b.pid = ANY (w.blockers) LEFT JOIN pg_roles r ON r.rolname = b.usename
 WHERE b.pid <> pg_backend_pid() AND NOT EXISTS (SELECT FROM waiting x WHERE x.pid = b.pid)
 GROUP BY b.pid, b.backend_start, b.application_name, b.usename, b.state, b.backend_type, r.rolsuper ORDER BY b.pid
"""
_IDLERS: Final = """
SELECT a.pid, a.backend_start::text AS started, a.application_name AS application, a.usename AS role, a.state,
       a.application_name LIKE 'zena%' AND NOT r.rolsuper AS ours, 0::bigint AS waiting
  FROM pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename
 WHERE a.backend_type = 'client backend' AND a.datname = current_database() AND a.pid <> pg_backend_pid()
   AND a.state LIKE 'idle in transaction%' AND a.state_change < now() - $1::interval ORDER BY a.pid
"""
# A number is given to another session once its own has ended: the time of its start tells them apart.
_CANCEL: Final = (
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2::text::timestamptz"
)
_END: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2::text::timestamptz"
)


async def _plan_blockers(look: Look, target: Target) -> Plan:  # noqa: ARG001 - a lock is the whole database's
    found: Sequence[Any] = []
    for _ in range(_LOOKS):
        found = await look.conn.fetch(_BLOCKERS)
        if found:
            break
        await asyncio.sleep(_PAUSE)
    mine = _ours(found, "nobody waits for a lock just now; plan again when `zena db activity` names somebody")
    lines = [f"cancel {_named(one)}; if it has not let go after {_GRACE * look.pace:g} s, end it" for one in mine]
    touches = {"sessions ended": len(mine), "sessions that wait": sum(one["waiting"] for one in mine)}
    return Plan(_acts_on(mine), lines, touches, _ROLLED_BACK)


async def _plan_idlers(look: Look, target: Target) -> Plan:  # noqa: ARG001 - connections are the whole server's
    found = await look.conn.fetch(_IDLERS, look.minutes(_IDLE))
    mine = _ours(found, "no transaction is left open just now")
    lines = [f"end {_named(one)}" for one in mine]
    return Plan(_acts_on(mine), lines, {"sessions ended": len(mine)}, _ROLLED_BACK)


def _ours(found: Sequence[Any], none: str) -> list[Any]:
    """Return our own sessions; only they are touched. Raises Refused without any."""
    if not found:
        raise Refused(none)
    mine = [one for one in found if one["ours"]]
    if not mine:
        names = ", ".join(_named(one) for one in found[:3])
        raise Refused(f"{names}: not ours to end; whoever runs it has to, see `zena db activity --all`")
    return mine


def _named(one: Mapping[str, Any]) -> str:
    return f"pid {one['pid']} ({one['role']} {one['application'] or 'unnamed'})"


def _acts_on(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"sessions": [{"pid": one["pid"], "started": one["started"]} for one in rows]}


async def _cancel(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    for one in acts_on["sessions"]:
        await look.conn.execute(_CANCEL, one["pid"], one["started"])
        tell(f"pid {one['pid']} is asked to let go")
    if await _waited(look, acts_on, timedelta(seconds=_GRACE * look.pace)):
        return
    await _end(look, acts_on, tell)


async def _end(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    """End those that still hold somebody up, or do nothing: one that let go has gone on to other work."""
    for one in acts_on["sessions"]:
        for _ in range(_LOOKS):
            if await _still(look.conn, one):
                await look.conn.execute(_END, one["pid"], one["started"])
                tell(f"pid {one['pid']} is ended")
                break
            await asyncio.sleep(_PAUSE)
    await _waited(look, acts_on, timedelta(seconds=5))


async def _waited(look: Look, acts_on: Mapping[str, Any], patience: timedelta) -> bool:
    """Wait until they have let go, and for several looks: one that only pauses will hold everybody up again."""
    until, free = time.monotonic() + patience.total_seconds(), 0
    while free < _FREE:
        if time.monotonic() > until:
            return False
        free = free + 1 if await _gone(look, acts_on) else 0
        await asyncio.sleep(_POLL)
    return True


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return not any([await _still(look.conn, one) for one in acts_on["sessions"]])


async def _still(conn: Raw, one: Mapping[str, Any]) -> bool:
    """Tell whether a session holds others up, or does nothing inside a transaction."""
    blocking = {(row["pid"], row["started"]) for row in await conn.fetch(_BLOCKERS)}
    idle = {(row["pid"], row["started"]) for row in await conn.fetch(_IDLERS, timedelta())}
    return (one["pid"], one["started"]) in blocking | idle


CANCEL_BLOCKER: Final = Remedy(
    "cancel_blocker", "end the session that holds others up",
    frozenset((symptom, "lock") for symptom in ("A1", "B1", "B2", "D1", "Q1", "W2", "X1")),
    Risk.INFRASTRUCTURE, _plan_blockers, _cancel, _gone,
)  # fmt: skip
END_IDLE_TRANSACTION: Final = Remedy(
    "end_idle_transaction", "end sessions that do nothing inside a transaction",
    frozenset({("B2", "left_open"), ("Q1", "old_snapshot")}),
    Risk.INFRASTRUCTURE, _plan_idlers, _end, _gone,
)  # fmt: skip
