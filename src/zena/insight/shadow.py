"""Comparing what the cache gave with what the rows say in the same transaction.

Every value lies under the version that the reader's own transaction saw, so no process can be behind by not having
heard of a change. What is left: rows were changed without an event, the stored value is not what was computed, or a
clock is wrong and a value outlives its time.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec

from zena import __version__
from zena.insight import families, queries
from zena.kit.cache import Cache, Cached
from zena.kit.db import Raw
from zena.kit.logs import get_logger
from zena.kit.scope import Scope

log = get_logger(__name__)

#: A value may be this much older than its life before a clock must be wrong: computing and sending take their time.
GRACE: Final = timedelta(seconds=5)
#: The reader waits for it, so it may not take long, seconds.
_PATIENCE: Final = 0.5
#: No event tells of these: they are as old as the value.
_DRIFTING: Final = frozenset({"signed_in_last_week"})


async def compare(conn: Raw, scope: Scope, cache: Cache, name: str, found: Cached) -> None:
    """Compute a found family again, if it is time to, and tell the cache's shadow whether both are the same.

    What another release computed is not compared. Neither is what an event has touched meanwhile: events and the rows
    they speak of become visible together, so a version that stands after the second look proves that nothing changed.
    """
    if not found.hit or found.release != __version__ or not cache.shadow.is_due:
        return
    cache.shadow.begin()
    try:
        async with asyncio.timeout(_PATIENCE), conn.transaction():
            told = await _compared(conn, scope, name, found)
    except (TimeoutError, asyncpg.PostgresError) as error:  # whoever reads has their value: it is no fault of theirs
        log.warning("a found value was not compared", family=name, error=type(error).__name__)
        return
    if told is not None:
        cache.shadow.tell(name, scope.tenant, *told)


async def _compared(conn: Raw, scope: Scope, name: str, found: Cached) -> tuple[str, list[str]] | None:
    """Return why the value is wrong and in what ("" and nothing: it is right); None when an event came meanwhile."""
    fresh = msgspec.to_builtins(await families.FAMILIES[name](conn, scope))
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    if (await queries.versions(conn, scope)).get(name, 0) != found.version:
        return None
    cause, fields = "", differing(found.value["data"], fresh)
    if fields:
        cause = "invalidation_missing" if found.intact else "wrong_value"
    elif now > found.expires_at + GRACE:
        cause = "clock"
    return cause, fields


def differing(found: dict[str, Any], fresh: dict[str, Any]) -> list[str]:
    """Return the names of the fields whose figures differ. Names of people and projects are not figures."""
    return sorted(
        name for name in fresh.keys() - _DRIFTING if name not in found or _figures(found[name]) != _figures(fresh[name])
    )


def _figures(value: Any) -> Any:
    """Return a value without its texts."""
    if isinstance(value, dict):
        return {name: _figures(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_figures(part) for part in value]
    return None if isinstance(value, str) else value
