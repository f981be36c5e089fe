"""Runs whose process is gone: ended by whoever comes next, who says whether they were done."""

import json
from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from zena.operate.incidents.endings import drop_lock, end, lock_name, take_lock
from zena.operate.remedies.catalogue import BY_NAME
from zena.operate.symptoms.contract import Look

UNKNOWN: Final = "whether it was done is not known: look before anything else"
DONE: Final = "it was done: what it is for is no longer there"
NOT_DONE: Final = "it was not done, or not to its end: what it is for is still there; plan it again"
_VALID: Final = """
SELECT x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
 WHERE c.relname = $1 AND c.relnamespace = 'public'::regnamespace
"""
_UNFINISHED: Final = "SELECT * FROM ops.remedy_run WHERE ended_at IS NULL ORDER BY id"


async def finish_interrupted(look: Look) -> dict[int, str]:
    """End runs whose process is gone, and say on their incidents what they left; return that by their numbers.

    Whoever applies one holds its lock as long as the session lives, and the server ends what it still does for it.
    """
    found = {}
    for row in await look.conn.fetch(_UNFINISHED):
        name = lock_name(row["remedy"], row["symptom"], row["scope"])
        if not await take_lock(look.conn, name):
            continue
        try:
            says = await _left(look, row)
            if await end(look.conn, row["id"], "interrupted", says, actor="watch", now=look.now):
                found[row["id"]] = says
        finally:
            await drop_lock(look.conn, name)
    return found


async def _left(look: Look, row: Mapping[str, Any]) -> str:
    plan, remedy = row["plan"], BY_NAME.get(row["remedy"])
    acts_on = (json.loads(plan) if isinstance(plan, str) else plan).get("acts_on", {})
    if "index" in acts_on and "drop" in acts_on:
        return await _left_of_index(look, acts_on["index"], acts_on["drop"])
    try:
        return UNKNOWN if remedy is None else DONE if await remedy.gone(look, acts_on) else NOT_DONE
    except Exception as error:
        if look.conn.is_closed():
            raise
        return f"{UNKNOWN} ({type(error).__name__})"


async def _left_of_index(look: Look, index: str, drop: str) -> str:
    """Half of an index is dropped, as it would cost and serve nobody."""
    valid = await look.conn.fetchval(_VALID, index)
    if valid:
        return f"it was done: {index} stands"
    if valid is None:
        return "it was not done: nothing of it is left"
    try:
        await look.conn.execute("SET ROLE zena_owner")
        await look.conn.execute(drop)
    except (asyncpg.PostgresError, TimeoutError) as error:
        return f"half of {index} is left, and costs ({type(error).__name__}): `{drop}` as zena_owner, or plan it again"
    finally:
        await look.conn.execute("RESET ROLE")
    return f"it was not done: half of {index} was left, and is dropped"
