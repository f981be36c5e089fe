"""The declared standing: written by operators as zena_ops, together with what the app role may do by default."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from zena.kit.changes import record
from zena.kit.db import Raw
from zena.kit.maintenance import Mode, Standing

READ: Final = "SELECT mode, message, retry_after, since FROM ops.maintenance"
_WRITE: Final = "UPDATE ops.maintenance SET mode = $1, message = $2, retry_after = $3, since = $4"
#: Only a role itself may set its defaults for one database, and ops may become the app role.
_DEFAULT: Final = {
    True: "ALTER ROLE zena_app IN DATABASE {} SET default_transaction_read_only = on",
    False: "ALTER ROLE zena_app IN DATABASE {} RESET default_transaction_read_only",
}
# A default counts from the next connection on. The queue's own and those for measurements say what they need.
_OUTDATED: Final = """
FROM pg_stat_activity WHERE usename = 'zena_app' AND datname = current_database() AND backend_start <= $1
 AND application_name NOT IN ('zena-queue', 'zena-telemetry') AND application_name NOT LIKE '%-direct'
"""
_COUNT: Final = "SELECT count(*) " + _OUTDATED
_END: Final = "SELECT state <> 'idle' AS busy, pg_terminate_backend(pid)" + _OUTDATED + " AND (state = 'idle' OR $2)"
#: Seconds for the processes to see the change, and for running transactions to end.
_NOTICED: Final = 1.5
_PATIENCE: Final = 10.0
_POLL: Final = 0.1


@dataclass(frozen=True, slots=True)
class Declared:
    """What a declaration did. `cut` counts transactions that did not end in time and were broken off."""

    before: Standing
    now: Standing
    changed: bool
    cut: int = 0


async def read(conn: Raw) -> Standing:
    """Return the standing that is declared; up where the database has none yet."""
    row = await conn.fetchrow(READ)
    if row is None:
        return Standing()
    return Standing(Mode(row["mode"]), row["message"], row["retry_after"], row["since"])


async def declare(conn: Raw, wanted: Standing, *, actor: str) -> Declared:
    """Declare a standing as zena_ops and see to it that it holds. Declaring what stands already is recorded nowhere."""
    async with conn.transaction():
        await conn.execute("SELECT FROM ops.maintenance FOR UPDATE")
        before = await read(conn)
        changed = _told(before) != _told(wanted)
        now = replace(wanted, since=await conn.fetchval("SELECT now()")) if changed else before
        if changed:
            await conn.execute(_WRITE, now.mode, now.message, now.retry_after, now.since)
            await record(conn, "maintenance", _what(now), actor=actor, before=_told(before), after=_told(now))
        await _default(conn, read_only=now.mode is not Mode.UP)
    if changed:
        await asyncio.sleep(_NOTICED)
    return Declared(before, now, changed, cut=await enforce(conn, now))


async def enforce(conn: Raw, now: Standing) -> int:
    """End the app role's connections that are older than the standing; return how many were at work.

    Our own processes let go of theirs by themselves; those that are idle by now are of no use to them any more. Those
    in a transaction are ended when it did not end in time.
    """
    cut, last = 0, asyncio.get_running_loop().time() + _PATIENCE
    while await conn.fetchval(_COUNT, now.since):
        late = asyncio.get_running_loop().time() > last
        ended = await conn.fetch(_END, now.since, late)
        cut += sum(row["busy"] for row in ended)
        await asyncio.sleep(_POLL)
    return cut


async def _default(conn: Raw, *, read_only: bool) -> None:
    name = await conn.fetchval("SELECT quote_ident(current_database())")
    await conn.execute("SET LOCAL ROLE zena_app")
    await conn.execute(_DEFAULT[read_only].format(name))
    await conn.execute("RESET ROLE")


def _told(standing: Standing) -> dict[str, Any]:
    if standing.mode is Mode.UP:
        return {"mode": "up"}
    return {"mode": str(standing.mode), "message": standing.message, "retry_after": standing.retry_after}


def _what(now: Standing) -> str:
    return {Mode.UP: "opened", Mode.READ_ONLY: "changes switched off", Mode.DOWN: "closed"}[now.mode]
