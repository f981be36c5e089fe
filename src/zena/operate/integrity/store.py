"""The results that are kept, for `zena status` and for looking back."""

from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.integrity.finding import Report

KEPT: Final = timedelta(days=400)
_KEEP: Final = """
INSERT INTO ops.integrity_run (id, started_at, finished_at, kind, checks, findings, report)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_LAST: Final = """
SELECT id, finished_at, kind, checks, findings, jsonb_array_length(report -> 'unfinished') AS unfinished
  FROM ops.integrity_run ORDER BY finished_at DESC LIMIT 1
"""


async def keep(conn: Raw, report: Report, kind: str) -> None:
    """Store a result. `kind` is nightly, command or repair."""
    values = report.run_id, report.started_at, report.finished_at, kind, report.checks, len(report.findings)
    await conn.execute(_KEEP, *values, report.as_json())


async def last(conn: Raw) -> dict[str, Any] | None:
    """Return the newest result in short, None before the first."""
    row = await conn.fetchrow(_LAST)
    return dict(row) if row else None


async def drop_old(conn: Raw, now: datetime) -> None:
    """Forget results, and rows from before repairs, that are older than they are kept."""
    await conn.execute("DELETE FROM ops.integrity_run WHERE finished_at < $1", now - KEPT)
    await conn.execute("DELETE FROM ops.integrity_undo WHERE at < $1", now - KEPT)
