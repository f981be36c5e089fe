"""What was done with backups, among the changes; and what lies in their directory, for whoever may not look into it."""

import asyncio
import shutil
import socket
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from zena.kit import changes
from zena.kit.db import Raw, dialled
from zena.operate.backup import archive, shelf, wal
from zena.operate.backup.archive import Manifest
from zena.operate.backup.refusal import Refused
from zena.settings import Role, Settings, SettingsError, load_backup_keys

#: What is told of going back, by restoring, by undoing that, by rewinding.
PUT_BACK, TAKEN_BACK, REWOUND = "backup put back", "restore taken back", "gone back to a moment"

_THERE: Final = "SELECT to_regclass('ops.backup') IS NOT NULL"
#: Those that could not be opened are not: their key may be put back.
_KNOWN: Final = "SELECT name, bytes FROM ops.backup WHERE proved_at IS NOT NULL"
_SEEN: Final = """
INSERT INTO ops.backup (name, kind, made_at, bytes, rows, files, release, revision, proved_at, fault, host, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes, rows = excluded.rows, files = excluded.files,
  release = excluded.release, revision = excluded.revision, proved_at = excluded.proved_at, fault = excluded.fault,
  host = excluded.host, seen_at = excluded.seen_at
"""
_CHANGED: Final = "UPDATE ops.backup SET fault = $2, host = $3, seen_at = $4 WHERE name = $1"
_STILL: Final = "UPDATE ops.backup SET host = $2, seen_at = $3 WHERE name = ANY($1)"
#: What this machine saw and sees no more is gone. What another saw may lie where only that one can look.
_GONE: Final = """
DELETE FROM ops.backup
 WHERE (host = $2 AND NOT name = ANY($1)) OR seen_at < $3::timestamptz - interval '1 hour'
"""
_PLACE: Final = """
INSERT INTO ops.backup_place (host, looked_at, free_bytes, log_until, log_pieces, log_bytes, log_waiting)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (host) DO UPDATE SET looked_at = excluded.looked_at, free_bytes = excluded.free_bytes,
  log_until = excluded.log_until, log_pieces = excluded.log_pieces, log_bytes = excluded.log_bytes,
  log_waiting = excluded.log_waiting
"""
_PLACES_GONE: Final = "DELETE FROM ops.backup_place WHERE looked_at < $1::timestamptz - interval '1 day'"
_NOTED: Final = "SELECT name, kind, made_at, bytes, fault FROM ops.backup ORDER BY name"
_PROVED: Final = "UPDATE ops.backup SET proved_at = now(), fault = NULL WHERE name = $1"
_FAILED: Final = "UPDATE ops.backup SET fault = left($2, 500) WHERE name = $1"


async def record(settings: Settings, what: str, name: str, manifest: Manifest) -> None:
    """Note among the changes what was done with an archive, and what lies in the directory since."""
    facts = {"archive": name, "rows": manifest.rows, "files": manifest.files, "revision": manifest.revision}
    await record_change(settings, what, facts)


async def record_change(settings: Settings, what: str, facts: dict[str, Any]) -> None:
    """As `record`, of something that is no archive."""
    async with dialled(settings.dsn(Role.OPS), "zena-backup") as conn:
        await changes.record(conn, "backup", what, after=facts)
        await note(conn, settings)


async def note(conn: Raw, settings: Settings) -> None:
    """Note, as zena_ops, what lies in the backup directory of this machine; nothing where the schema is older."""
    if not await conn.fetchval(_THERE):
        return
    now: datetime = await conn.fetchval("SELECT now()")
    host = socket.gethostname()
    known = {row["name"]: row["bytes"] for row in await conn.fetch(_KNOWN)}
    there = await asyncio.to_thread(_there, settings)
    async with conn.transaction():
        await conn.execute(_STILL, [name for name, (_, one) in there.items() if known.get(name) == one.size], host, now)
        for name, (kind, one) in there.items():
            if name not in known:
                facts = await asyncio.to_thread(_facts, settings, one)
                await conn.execute(_SEEN, name, kind, one.at, one.size, *facts, host, now)
            elif known[name] != one.size:
                fault = f"{name} had {known[name]} bytes and has {one.size}: it was changed"
                await conn.execute(_CHANGED, name, fault, host, now)
        await conn.execute(_GONE, list(there), host, now)
        kept = await asyncio.to_thread(wal.kept, settings)
        free = shutil.disk_usage(_nearest(settings.backups_path)).free
        await conn.execute(_PLACE, host, now, free, kept.until, kept.pieces, kept.bytes, kept.waiting)
        await conn.execute(_PLACES_GONE, now)


async def noted(conn: Raw) -> dict[str, Any]:
    """Return the dumps that are noted as `proved`, time and bytes by name, and the `faults` of archives, by name."""
    rows = await conn.fetch(_NOTED) if await conn.fetchval(_THERE) else []
    return {
        "proved": {row["name"]: (row["made_at"], row["bytes"]) for row in rows if row["kind"] == "dump"},
        "faults": {row["name"]: row["fault"] for row in rows if row["fault"] is not None},
    }


async def note_proof(settings: Settings, path: Path, refused: Refused | None) -> None:
    """Note that an archive of the directory has come back whole, or why it did not."""
    if path.parent.absolute() != settings.backups_path.absolute():
        return
    async with dialled(settings.dsn(Role.OPS), "zena-backup") as conn:
        await note(conn, settings)
        if not await conn.fetchval(_THERE):
            return
        if refused is None:
            await conn.execute(_PROVED, path.name)
        else:
            await conn.execute(_FAILED, path.name, str(refused))


def _there(settings: Settings) -> dict[str, tuple[str, shelf.Kept]]:
    kinds = {"dump": shelf.DUMPS, "base": shelf.BASES}
    return {
        one.path.name: (kind, one)
        for kind, prefix in kinds.items()
        for one in shelf.kept(settings.backups_path, prefix)
    }


def _facts(settings: Settings, one: shelf.Kept) -> tuple[Any, ...]:
    """Return rows, files, release, revision, time of the proof and fault of an archive that was not seen before.

    It got its name after it was proved, so it was when it was made.
    """
    try:
        manifest = archive.manifest_of(one.path, load_backup_keys(settings, make=False))
    except (Refused, SettingsError, OSError) as error:
        return None, None, None, None, None, str(error)[:500]
    counted = (manifest.rows, manifest.files) if manifest.tables else (None, None)
    return *counted, manifest.release, manifest.revision, one.at, None


def _nearest(path: Path) -> Path:
    """Return the directory itself, or the nearest above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())
