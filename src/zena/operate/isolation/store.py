"""What rounds of trying found, kept for whoever watches; and when the next is due."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from zena import __version__
from zena.kit.db import Raw
from zena.operate.isolation.verdict import Verdict

#: A round is due after so long, and at the next hour after another release or schema than it was made with.
EVERY: Final = timedelta(hours=6)
_KEPT: Final = 100
_REVISION: Final = "SELECT version_num FROM public.alembic_version"
_KEEP: Final = """
INSERT INTO ops.isolation_round (at, took_s, release, revision, routes, requests, findings, unfinished)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb) RETURNING id
"""
_LAST: Final = """
SELECT at, took_s, release, revision, routes, requests, findings, unfinished FROM ops.isolation_round
 ORDER BY id DESC LIMIT 1
"""


async def keep(conn: Raw, verdict: Verdict, at: datetime, seconds: float) -> None:
    """Store a round, as zena_ops; only the last hundred stay."""
    findings, unfinished = (msgspec.json.encode(part).decode() for part in (verdict.findings, verdict.unfinished))
    revision = await conn.fetchval(_REVISION)
    counts = verdict.routes, verdict.requests
    made = await conn.fetchval(_KEEP, at, seconds, __version__, revision, *counts, findings, unfinished)
    await conn.execute("DELETE FROM ops.isolation_round WHERE id <= $1", made - _KEPT)


async def last(conn: Raw) -> dict[str, Any] | None:
    """Return the newest round, None before the first. `findings` and `unfinished` are lists."""
    row = await conn.fetchrow(_LAST)
    if row is None:
        return None
    found = dict(row)
    for name in ("findings", "unfinished"):
        found[name] = msgspec.json.decode(found[name]) if isinstance(found[name], str) else found[name]
    return found


async def is_due(conn: Raw, now: datetime) -> bool:
    """Tell whether a round is due: every six hours by the clock, and soon after another release or schema is there."""
    there = await last(conn)
    if now.hour % (EVERY.total_seconds() // 3600) == 0:
        return there is None or now - there["at"] > EVERY / 2
    if there is None:
        return False
    return (there["release"], there["revision"]) != (__version__, await conn.fetchval(_REVISION))
