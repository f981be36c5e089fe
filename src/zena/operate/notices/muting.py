"""When nobody is to be told. What happens meanwhile is recorded, and told afterwards if it is still so."""

from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.changes import record
from zena.kit.db import Raw

_BEGIN: Final = """
INSERT INTO ops.mute (symptom, reason, actor, since, until) VALUES ($1, $2, $3, $4, $5)
RETURNING id, symptom, reason, actor, since, until
"""
_STANDING: Final = """
SELECT id, symptom, reason, actor, since, until FROM ops.mute
 WHERE ended_at IS NULL AND until > $1 ORDER BY until, id
"""
_END: Final = """
UPDATE ops.mute SET ended_at = $1 WHERE ended_at IS NULL AND until > $1 AND ($2::text IS NULL OR symptom = $2)
RETURNING id, symptom, reason, actor, since, until
"""


async def mute(
    conn: Raw, *, symptom: str | None, span: timedelta, reason: str, actor: str, now: datetime
) -> dict[str, Any]:
    """Begin a window in which nobody is told of one symptom, or of any; as zena_ops. Return it."""
    async with conn.transaction():
        made = dict(await conn.fetchrow(_BEGIN, symptom, reason, actor, now, now + span) or {})
        after = {"symptom": symptom, "until": made["until"], "reason": reason}
        await record(conn, "maintenance", f"alerts muted: {symptom or 'all'}", actor=actor, after=after)
    return made


async def unmute(conn: Raw, *, symptom: str | None, actor: str, now: datetime) -> list[dict[str, Any]]:
    """End the windows of one symptom, or all that stand; return them."""
    async with conn.transaction():
        ended = [dict(row) for row in await conn.fetch(_END, now, symptom)]
        for one in ended:
            before = {"symptom": one["symptom"], "until": one["until"], "reason": one["reason"]}
            await record(conn, "maintenance", f"alerts unmuted: {one['symptom'] or 'all'}", actor=actor, before=before)
    return ended


async def standing(conn: Raw, now: datetime) -> list[dict[str, Any]]:
    """Return the windows that stand now, the first to end first."""
    return [dict(row) for row in await conn.fetch(_STANDING, now)]
