"""How long incidents are kept: as long as the measurements by the hour."""

from datetime import datetime, timedelta
from typing import Final

from zena.kit.db import Raw

KEPT: Final = timedelta(days=400)
#: Incidents dropped in one transaction; an hour later the next ones.
_AT_ONCE: Final = 1000
_OLD: Final = "SELECT id FROM ops.incident WHERE closed_at < $1 ORDER BY closed_at, id LIMIT $2 FOR UPDATE SKIP LOCKED"
_DROP: Final = (
    "DELETE FROM ops.notice WHERE incident_id = ANY ($1)",
    "DELETE FROM ops.remedy_run WHERE incident_id = ANY ($1)",
    "DELETE FROM ops.incident_event WHERE incident_id = ANY ($1)",
    "UPDATE ops.incident SET parent_id = NULL WHERE parent_id = ANY ($1)",
    "DELETE FROM ops.incident WHERE id = ANY ($1)",
)
#: What belongs to no incident that is dropped.
_LOOSE: Final = (
    "DELETE FROM ops.remedy_run WHERE incident_id IS NULL AND ended_at < $1",
    "DELETE FROM ops.mute WHERE until < $1",
    "DELETE FROM ops.detector WHERE looked_at < $1",
)


async def drop_old(conn: Raw, now: datetime) -> int:
    """Forget incidents that closed 400 days ago, with all that belongs to them, as zena_ops; return how many.

    One that is open is kept, however old it is.
    """
    before = now - KEPT
    async with conn.transaction():
        old = [row["id"] for row in await conn.fetch(_OLD, before, _AT_ONCE)]
        for statement in _DROP:
            await conn.execute(statement, old)
    for statement in _LOOSE:
        await conn.execute(statement, before)
    return len(old)
