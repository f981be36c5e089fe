"""Proving a backup: it is read to the last byte and restored into a database of its own, which is dropped again."""

import asyncio
from pathlib import Path
from typing import Final

from zena.kit.exits import Exit
from zena.operate.backup import archive, shelf
from zena.operate.backup.archive import FORMAT, Manifest
from zena.operate.backup.database import fill, fresh
from zena.operate.backup.records import note_proof
from zena.operate.backup.refusal import Refused
from zena.settings import KeyRing, Settings, load_backup_keys

#: The database that a backup is restored into, to see that it can be.
CHECKED: Final = "zena_backup_check"


async def verify(settings: Settings, path: Path, *, head: str | None) -> Manifest:
    """Read an archive whole, restore it into a database of its own, compare, and drop that database.

    Refused with the reason when the archive is not ours, damaged, empty, of a newer release than revision `head`, or
    does not come back as it was. Either way it is noted for the console.
    """
    ring = load_backup_keys(settings, make=False)
    try:
        with shelf.at_work(settings.backups_path) as draft:
            check_fit(path, archive.manifest_of(path, ring), head)
            manifest = await prove(settings, ring, path, draft)
    except Refused as refused:
        if refused.code == Exit.DATA:
            await note_proof(settings, path, refused)
        raise
    await note_proof(settings, path, None)
    return manifest


async def prove(settings: Settings, ring: KeyRing, path: Path, draft: Path) -> Manifest:
    """As `verify`, with the directory of backups held already; `draft` takes what must lie on disk for a while."""
    manifest = await asyncio.to_thread(archive.unpack, path, ring, draft, files=False)
    async with fresh(settings, CHECKED):
        await fill(settings, CHECKED, draft, draft / archive.DUMP, manifest)
    return manifest


def check_fit(path: Path, manifest: Manifest, head: str | None) -> None:
    """Raise Refused for a backup that is empty, or that a newer release has made."""
    check_release(path, manifest, head)
    if manifest.firm is not None:
        raise Refused(f"{path.name} holds one firm, {manifest.firm.slug}: `zena tenant import` brings it in")
    if manifest.wal is not None:
        raise Refused(f"{path.name} is a base backup, started for proof when it was made: `zena backup rewind` uses it")
    if manifest.rows == 0:
        raise Refused(f"{path.name} holds 0 rows of people and firms: it is no backup of anything")


def check_release(path: Path, manifest: Manifest, head: str | None) -> None:
    """Raise Refused for a backup that a newer release has made."""
    if manifest.format > FORMAT or (head is not None and manifest.revision > head):
        raise Refused(
            f"{path.name} was made by release {manifest.release} at revision {manifest.revision}; this is revision "
            f"{head}: install that release or a newer one"
        )
