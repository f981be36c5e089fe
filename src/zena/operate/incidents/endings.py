"""How runs of remedies end: with a verdict, or because whoever applied them is gone."""

import json
from datetime import datetime
from typing import Any, Final

import asyncpg

from zena.kit.db import Raw
from zena.operate.incidents import timeline
from zena.operate.notices.outbox import follow

INTERRUPTED: Final = "its effect is unknown: look before anything else"
_END: Final = """
UPDATE ops.remedy_run SET ended_at = $2, verdict = $3, says = $4
 WHERE id = $1 AND ended_at IS NULL RETURNING incident_id
"""
_MITIGATED: Final = "UPDATE ops.incident SET mitigated_at = $2 WHERE id = $1 AND mitigated_at IS NULL"
_VALID: Final = """
SELECT x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
 WHERE c.relname = $1 AND c.relnamespace = 'public'::regnamespace
"""
_UNFINISHED: Final = "SELECT * FROM ops.remedy_run WHERE ended_at IS NULL ORDER BY id"


async def end(conn: Raw, run: int, verdict: str, says: str, *, actor: str, now: datetime) -> bool:
    """Write down how a run ended; False if somebody else has done so."""
    async with conn.transaction():
        row = await conn.fetchrow(_END, run, now, verdict, says)
        if row is None:
            return False
        text = f"run {run}: {verdict}, {says}"
        body = {"run": run, "verdict": verdict, "text": text}
        if row["incident_id"] is not None:
            await timeline.add(conn, row["incident_id"], now, "remedy verdict", actor, body)
            await follow(conn, row["incident_id"], "verdict", text, now, which=str(run))
            if verdict == "fixed":
                await conn.execute(_MITIGATED, row["incident_id"], now)
    return True


async def finish_interrupted(conn: Raw, now: datetime) -> list[int]:
    """End runs whose process is gone, and say so on their incidents; return their numbers.

    Whoever applies one holds its lock as long as the session lives, and the server ends what it still does for it.
    """
    found = []
    for row in await conn.fetch(_UNFINISHED):
        name = lock_name(row["remedy"], row["symptom"], row["scope"])
        if not await take_lock(conn, name):
            continue
        try:
            says = await _left(conn, row["plan"])
            if await end(conn, row["id"], "interrupted", says, actor="watch", now=now):
                found.append(row["id"])
        finally:
            await drop_lock(conn, name)
    return found


async def _left(conn: Raw, plan: Any) -> str:
    """Say what an interrupted run left; half of an index is dropped, as it would cost and serve nobody."""
    acts_on = (json.loads(plan) if isinstance(plan, str) else plan).get("acts_on", {})
    index, drop = acts_on.get("index"), acts_on.get("drop")
    if index is None or drop is None:
        return INTERRUPTED
    valid = await conn.fetchval(_VALID, index)
    if valid:
        return f"it was done before: {index} stands"
    if valid is None:
        return "nothing of it is left"
    try:
        await conn.execute("SET ROLE zena_owner")
        await conn.execute(drop)
    except (asyncpg.PostgresError, TimeoutError) as error:
        return f"half of {index} is left, and costs ({type(error).__name__}): `{drop}` as zena_owner, or plan it again"
    finally:
        await conn.execute("RESET ROLE")
    return f"half of {index} was left, and is dropped: nothing of it is left"


def lock_name(remedy: str, symptom: str, scope: str) -> str:
    return f"remedy:{remedy}:{symptom}:{scope}"


async def take_lock(conn: Raw, name: str) -> bool:
    """Take the lock of one remedy on one target for this session; False while another has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name))


async def drop_lock(conn: Raw, name: str) -> None:
    await conn.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
