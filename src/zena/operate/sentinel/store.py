"""What came of the last journey, a row for each stage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.sentinel.journey import Outcome

_KEEP: Final = """
INSERT INTO ops.sentinel (stage, at, ok, ms, says, failed, since)
VALUES ($1, $2, $3, $4, $5, CASE WHEN $3 THEN 0 ELSE 1 END, $2)
ON CONFLICT (stage) DO UPDATE SET at = excluded.at, ok = excluded.ok, ms = excluded.ms, says = excluded.says,
    failed = CASE WHEN excluded.ok THEN 0 ELSE sentinel.failed + 1 END,
    since = CASE WHEN excluded.ok = sentinel.ok THEN sentinel.since ELSE excluded.at END
"""
_READ: Final = "SELECT stage, at, ok, ms, says, failed, since FROM ops.sentinel ORDER BY at, stage"


async def keep(conn: Raw, outcomes: Sequence[Outcome], at: datetime) -> None:
    """Write what came of each stage that was tried, as zena_ops."""
    for one in outcomes:
        await conn.execute(_KEEP, one.stage, at, one.ok, one.ms, one.says)


async def stages(conn: Raw) -> dict[str, dict[str, Any]]:
    """Return the stages by name: when each was tried last, what came of it, how often in a row, since when."""
    return {row["stage"]: dict(row) for row in await conn.fetch(_READ)}
