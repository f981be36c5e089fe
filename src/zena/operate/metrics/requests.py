"""Requests that were kept, with the text of their statements."""

from datetime import datetime
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.metrics.statements import known

_ONE: Final = "SELECT * FROM ops.request WHERE request_id = $1 ORDER BY at DESC LIMIT 1"
_SLOWEST: Final = """
SELECT at, request_id, method, route, status, ms, kept_for, tenant, release, facts FROM ops.request
 WHERE at >= $1 AND ($2::text IS NULL OR route = $2) AND ($3::text IS NULL OR kept_for = $3)
 ORDER BY ms DESC LIMIT $4
"""


async def request_called(conn: Raw, request_id: str) -> dict[str, Any] | None:
    """Return one kept request with the text of each statement; None if it was not kept, or no longer is."""
    row = await conn.fetchrow(_ONE, request_id)
    if row is None:
        return None
    found = dict(row)
    statements = found["facts"].get("statements", [])
    texts = await known(conn, [one["fingerprint"] for one in statements])
    for one in statements:
        one["text"] = texts.get(one["fingerprint"], {}).get("text")
    return found


async def slowest(
    conn: Raw, since: datetime, *, route: str | None = None, kept_for: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """Return the slowest kept requests since an instant."""
    return [dict(row) for row in await conn.fetch(_SLOWEST, since, route, kept_for, limit)]
