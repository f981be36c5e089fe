"""Making a backup: one moment of the database, the files, the keys; proved before it gets its name."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from zena import __version__
from zena.kit.db import Raw
from zena.kit.exits import Exit
from zena.operate.backup import archive, shelf
from zena.operate.backup.archive import Manifest, Part, part_of
from zena.operate.backup.contents import fences_of, reading, revision_of, tables_of
from zena.operate.backup.database import dump
from zena.operate.backup.proving import prove
from zena.operate.backup.records import record
from zena.operate.backup.refusal import NothingThere, Refused
from zena.settings import KeyRing, Role, Settings, load_backup_keys

_FACTS: Final = """
SELECT pg_export_snapshot() AS snapshot, pg_database_size(current_database()) AS bytes,
       current_setting('server_version') AS server, current_user AS role,
       (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user) AS sees_all
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was restored once. `removed` are older ones that made room; `new_key`: the key was made too."""

    kept: shelf.Kept
    manifest: Manifest
    removed: list[Path]
    new_key: bool


async def create(settings: Settings, at: datetime) -> Made:
    """Write a backup of the installation, restore it into a database of its own, and only then give it its name.

    Refused, with nothing left behind, when that fails, when there is nothing to back up, or while another is at work.
    """
    folder = settings.backups_path
    with shelf.at_work(folder) as draft:
        new_key = not settings.backup_key_path.exists()
        ring = load_backup_keys(settings, make=True)
        final = folder / shelf.name_at(at)
        written = draft / final.name
        manifest = await _write(settings, ring, at, written)
        await prove(settings, ring, written, draft)
        shelf.settle(written, final)
        removed = shelf.drop_old(folder, settings.backup_keep)
    await record(settings, "backup made, and restored for proof", final.name, manifest)
    return Made(shelf.Kept(final, at, final.stat().st_size), manifest, removed, new_key)


async def _write(settings: Settings, ring: KeyRing, at: datetime, target: Path) -> Manifest:
    dumped = target.parent / archive.DUMP
    async with reading(settings.dsn(Role.BACKUP)) as conn:
        manifest = await _dump(settings, conn, at, dumped)
    # A file never changes and is there before the row that names it: all that the dump names are there now.
    parts, sources = await asyncio.to_thread(_parts, settings, dumped)
    shelf.check_room(target.parent, sum(part.size for part in parts))
    manifest = msgspec.structs.replace(manifest, parts=parts)
    await asyncio.to_thread(archive.write, target, ring.current, manifest, sources)
    dumped.unlink()
    return manifest


async def _dump(settings: Settings, conn: Raw, at: datetime, target: Path) -> Manifest:
    """Dump the database as this connection sees it, and count it in the same view."""
    facts = await conn.fetchrow(_FACTS)
    if not facts["sees_all"]:
        raise Refused(
            f"the role {facts['role']} is held by row-level security: it would back up nothing", Exit.PERMISSION
        )
    revision = await revision_of(conn)
    if revision is None:
        raise NothingThere("the database has none of our tables: there is nothing to back up")
    shelf.check_room(target.parent, facts["bytes"])
    await dump(settings.dsn(Role.BACKUP), facts["snapshot"], target)
    manifest = Manifest(
        format=archive.FORMAT,
        release=__version__,
        revision=revision,
        created=at,
        server=facts["server"],
        database_bytes=facts["bytes"],
        tables=await tables_of(conn),
        fences=await fences_of(conn),
        parts=[],
    )
    if manifest.rows == 0:
        raise NothingThere("the database holds no person and no firm yet: there is nothing to back up")
    return manifest


def _parts(settings: Settings, dumped: Path) -> tuple[list[Part], list[Path]]:
    sources = {archive.DUMP: dumped, archive.KEYS: settings.keys_path}
    root = settings.files_path
    for path in sorted(root.glob("*/*/*")):  # an upload under way lies one level higher
        sources[f"{archive.FILES}{path.relative_to(root).as_posix()}"] = path
    there = {name: path for name, path in sources.items() if path.is_file()}
    return [part_of(name, path) for name, path in there.items()], list(there.values())
