"""What rounds of trying found, kept for whoever watches; and when the next is due."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from zena import __version__
from zena.kit.db import Raw
from zena.operate.isolation.verdict import Verdict

#: Rounds begin by the clock; what was found, or not finished, is looked at again sooner.
EVERY: Final = timedelta(hours=6)
AGAIN: Final = timedelta(minutes=30)
#: Another release or schema is tried once it has stood for so long: processes are replaced one by one.
_SETTLED: Final = timedelta(minutes=5)
#: Who has just installed it has other cares for the first hour.
_FIRST: Final = timedelta(hours=1)
_KEPT: Final = 100
_REVISION: Final = "SELECT version_num FROM public.alembic_version"
_SEEN: Final = "SELECT max(at) FROM ops.seen WHERE name IN ('release', 'revision')"
#: What a round has not finished until it ends: one that was broken off must not leave the one before as the last word.
_BEGUN: Final = ("the round, which is under way or was broken off",)
_BEGIN: Final = """
INSERT INTO ops.isolation_round (at, took_s, release, revision, routes, requests, findings, unfinished)
VALUES ($1, 0, $2, $3, 0, 0, '[]', $4::text::jsonb) RETURNING id
"""
_FINISH: Final = """
UPDATE ops.isolation_round SET took_s = $2, routes = $3, requests = $4, findings = $5::text::jsonb,
       unfinished = $6::text::jsonb
 WHERE id = $1
"""
_LAST: Final = """
SELECT at, took_s, release, revision, routes, requests, findings, unfinished FROM ops.isolation_round
 ORDER BY id DESC LIMIT 1
"""


async def begin(conn: Raw, at: datetime) -> int:
    """Note as zena_ops that a round begins, and return its number; only the last hundred stay."""
    begun = msgspec.json.encode(_BEGUN).decode()
    number: int = await conn.fetchval(_BEGIN, at, __version__, await conn.fetchval(_REVISION), begun)
    await conn.execute("DELETE FROM ops.isolation_round WHERE id <= $1", number - _KEPT)
    return number


async def finish(conn: Raw, number: int, verdict: Verdict, seconds: float) -> None:
    """Store what a round came to: ways, and what gave; no contents."""
    findings, unfinished = (msgspec.json.encode(part).decode() for part in (verdict.findings, verdict.unfinished))
    await conn.execute(_FINISH, number, seconds, verdict.routes, verdict.requests, findings, unfinished)


async def last(conn: Raw) -> dict[str, Any] | None:
    """Return the newest round, None before the first. `findings` and `unfinished` are lists."""
    row = await conn.fetchrow(_LAST)
    if row is None:
        return None
    found = dict(row)
    for name in ("findings", "unfinished"):
        found[name] = msgspec.json.decode(found[name]) if isinstance(found[name], str) else found[name]
    return found


def is_broken_off(there: dict[str, Any]) -> bool:
    """Tell whether a round has no end, or none yet."""
    return tuple(there["unfinished"]) == _BEGUN


def doubt(there: dict[str, Any], now: datetime) -> str:
    """Return why a round that found nothing tells nothing; empty where it proves what it should."""
    if is_broken_off(there):
        return "it is under way, or was broken off"
    if there["unfinished"]:
        return f"{len(there['unfinished'])} could not be tried"
    return "too long ago" if now - there["at"] > 2 * EVERY else ""


async def is_due(conn: Raw, now: datetime) -> bool:
    """Tell whether a round is due: every six hours by the clock, and minutes after another release or schema is there.

    The first of all waits for an hour. One that was missed, because no worker ran, is made up for.
    """
    there = await last(conn)
    made_with = (__version__, await conn.fetchval(_REVISION))
    if there is None or (there["release"], there["revision"]) != made_with:
        since = await conn.fetchval(_SEEN)
        return since is None or now - since >= (_FIRST if there is None else _SETTLED)
    if there["findings"] or there["unfinished"]:
        return bool(now - there["at"] >= AGAIN)
    return bool(there["at"] < _slot(now))


def _slot(now: datetime) -> datetime:
    """Return when the present six hours began, UTC."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + (now - day) // EVERY * EVERY
