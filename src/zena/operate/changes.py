"""What was done to the installation: releases, migrations, settings, maintenance. Written once, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from zena import __version__
from zena.kit.changes import record
from zena.kit.db import Raw
from zena.settings.load import described

if TYPE_CHECKING:
    from zena.settings import Settings

_LIST: Final = """
SELECT id, at, kind, what, actor, before, after FROM ops.change
WHERE at >= $1 AND ($2::text IS NULL OR kind = $2) ORDER BY at DESC, id DESC LIMIT $3
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('ops.seen', 0))"
_SEE: Final = """
INSERT INTO ops.seen (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = now()
"""

#: Each process holds the URLs of its own roles only, and a process that is supervised reads no file: that differs
#: between them, and says nothing of a change.
_HELD: Final = frozenset(
    {
        "ZENA_DATABASE_OWNER_URL",
        "ZENA_DATABASE_OPS_URL",
        "ZENA_DATABASE_OPS_READ_URL",
        "ZENA_DATABASE_BACKUP_URL",
        "ZENA_CONFIG_FILE",
    }
)


async def listed(conn: Raw, since: datetime, *, kind: str | None = None, limit: int = 200) -> list[dict[str, Any]]:
    """Return the changes since an instant, newest first."""
    return [dict(row) for row in await conn.fetch(_LIST, since, kind, limit)]


async def note_start(conn: Raw, settings: "Settings") -> Sequence[str]:
    """Record, as zena_ops, what differs from the last start; return the kinds of change found. Twice is once."""
    found = []
    async with conn.transaction():
        if await note_revision(conn):
            found.append("migration")
        if await _differs(conn, "release", {"release": __version__}, "deploy", f"release {__version__}"):
            found.append("deploy")
        if await _settings_differ(conn, plain_settings(settings)):
            found.append("setting")
    return found


async def note_revision(conn: Raw) -> bool:
    """Record, as zena_ops in a transaction, that the schema stands elsewhere than when last looked at."""
    await conn.execute(_LOCK)
    revision = await conn.fetchval("SELECT version_num FROM public.alembic_version")
    return await _differs(conn, "revision", {"revision": revision}, "migration", f"schema at {revision}")


def plain_settings(settings: "Settings") -> dict[str, str]:
    """Return the settings by variable, secrets masked."""
    return {one["variable"]: one["value"] for one in described(settings) if one["variable"] not in _HELD}


async def _differs(conn: Raw, name: str, value: dict[str, Any], kind: str, what: str) -> bool:
    before = await conn.fetchval("SELECT value FROM ops.seen WHERE name = $1", name)
    if before == value:
        return False
    await record(conn, kind, what, before=before, after=value)
    await conn.execute(_SEE, name, value)
    return True


async def _settings_differ(conn: Raw, values: dict[str, str]) -> bool:
    seen = await conn.fetchval("SELECT value FROM ops.seen WHERE name = 'settings'")
    if seen == values:
        return False
    await conn.execute(_SEE, "settings", values)
    if seen is None:
        return False  # the first start: nothing was set otherwise before
    names = sorted(name for name in {*seen, *values} if seen.get(name) != values.get(name))
    await record(
        conn,
        "setting",
        ", ".join(names)[:300],
        before={name: seen.get(name) for name in names},
        after={name: values.get(name) for name in names},
    )
    return True
