"""What was done to the installation: releases, migrations, settings, maintenance. Written once, never changed."""

import getpass
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from zena import __version__
from zena.kit.db import Raw
from zena.settings.load import described

if TYPE_CHECKING:
    from zena.settings import Settings

_RECORD: Final = """
INSERT INTO ops.change (at, kind, what, actor, before, after) VALUES (clock_timestamp(), $1, $2, $3, $4, $5)
"""
_LIST: Final = """
SELECT id, at, kind, what, actor, before, after FROM ops.change
WHERE at >= $1 AND ($2::text IS NULL OR kind = $2) ORDER BY at DESC, id DESC LIMIT $3
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('ops.seen', 0))"
_SEE: Final = """
INSERT INTO ops.seen (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = now()
"""

KINDS: Final = ("deploy", "migration", "setting", "flag", "maintenance", "remedy", "backup")
#: Each process holds the URLs of its own roles only: that differs between them, and says nothing of a change.
_HELD: Final = frozenset(
    {
        "ZENA_DATABASE_OWNER_URL",
        "ZENA_DATABASE_OPS_URL",
        "ZENA_DATABASE_OPS_READ_URL",
        "ZENA_DATABASE_BACKUP_URL",
    }
)


async def record(
    conn: Raw,
    kind: str,
    what: str,
    actor: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one change. `kind` is one of KINDS; `before` and `after` hold no secrets."""
    await conn.execute(_RECORD, kind, what, actor, before, after)


async def listed(conn: Raw, since: datetime, *, kind: str | None = None, limit: int = 200) -> list[dict[str, Any]]:
    """Return the changes since an instant, newest first."""
    return [dict(row) for row in await conn.fetch(_LIST, since, kind, limit)]


async def note_start(conn: Raw, settings: "Settings") -> Sequence[str]:
    """Record, as zena_ops, what differs from the last start; return the kinds of change found. Twice is once."""
    actor, found = here(), []
    async with conn.transaction():
        if await note_revision(conn):
            found.append("migration")
        if await _differs(conn, "release", {"release": __version__}, "deploy", f"release {__version__}", actor):
            found.append("deploy")
        if await _settings_differ(conn, plain_settings(settings), actor):
            found.append("setting")
    return found


async def note_revision(conn: Raw) -> bool:
    """Record, as zena_ops in a transaction, that the schema stands elsewhere than when last looked at."""
    await conn.execute(_LOCK)
    revision = await conn.fetchval("SELECT version_num FROM public.alembic_version")
    return await _differs(conn, "revision", {"revision": revision}, "migration", f"schema at {revision}", here())


def plain_settings(settings: "Settings") -> dict[str, str]:
    """Return the settings by variable, secrets masked."""
    return {one["variable"]: one["value"] for one in described(settings) if one["variable"] not in _HELD}


def here() -> str:
    """Return who runs this program, for the record: person and machine."""
    try:
        person = getpass.getuser()
    except (KeyError, OSError):
        person = "unknown"
    return f"{person}@{socket.gethostname()}"


async def _differs(conn: Raw, name: str, value: dict[str, Any], kind: str, what: str, actor: str) -> bool:
    before = await conn.fetchval("SELECT value FROM ops.seen WHERE name = $1", name)
    if before == value:
        return False
    await record(conn, kind, what, actor, before=before, after=value)
    await conn.execute(_SEE, name, value)
    return True


async def _settings_differ(conn: Raw, values: dict[str, str], actor: str) -> bool:
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
        actor,
        before={name: seen.get(name) for name in names},
        after={name: values.get(name) for name in names},
    )
    return True
