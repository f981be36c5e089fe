"""Putting a backup back: beside the database in use, checked there, and only then in its place."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from zena.kit.db import asyncpg_dsn
from zena.kit.posture import check_posture
from zena.operate.backup import archive, shelf
from zena.operate.backup.archive import FILES, Manifest, Part, part_of
from zena.operate.backup.database import beside, drop, fill, fresh, named, swap
from zena.operate.backup.proving import check_fit
from zena.operate.backup.records import PUT_BACK, TAKEN_BACK, record, record_change
from zena.operate.backup.refusal import Refused
from zena.settings import Role, Settings, add_keys, load_backup_keys

NEW: Final = "zena_backup_new"
#: What the database in use is called afterwards, with the time behind it.
FORMER: Final = "zena_before_"
_STAMP: Final = "%Y%m%d_%H%M%S_%f"

#: Sessions may have been ended for a reason since, and cached values of the time since must not be taken for new.
_AFTERWARDS: Final = """
UPDATE session SET revoked_at = now() WHERE revoked_at IS NULL;
UPDATE tenant_head SET versions = (SELECT jsonb_object_agg(key, value::bigint + 1000000) FROM jsonb_each_text(versions))
 WHERE versions <> '{}';
"""

#: Brings the database of these settings to this release.
Upgrade = Callable[[Settings], Awaitable[None]]
#: Erases from it the firms that were erased after a moment, and tells which.
EraseAgain = Callable[[Settings, datetime], Awaitable[list[UUID]]]


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in place now. `former` is the database that was replaced, None where there was none.

    `erased` are the firms of the archive that were deleted since it was made, and so did not come back.
    """

    manifest: Manifest
    former: str | None
    files: int
    erased: list[UUID]


async def restore(
    settings: Settings, path: Path, at: datetime, *, head: str, upgrade: Upgrade, erase_again: EraseAgain
) -> Restored:
    """Restore an archive into a new database, check and migrate it, lay back missing files and keys, and swap.

    The one in use is renamed, not dropped. Refused at any step, database, files and keys are as they were.
    """
    ring = load_backup_keys(settings, make=False)
    former = _former(at)
    with shelf.at_work(settings.backups_path) as draft:
        manifest = archive.manifest_of(path, ring)
        check_fit(path, manifest, head)
        shelf.check_room(draft, manifest.database_bytes + sum(part.size for part in manifest.parts))
        await asyncio.to_thread(archive.unpack, path, ring, draft, files=True)
        async with fresh(settings, NEW):
            await fill(settings, NEW, draft, draft / archive.DUMP, manifest)
            await _finish(settings, head, upgrade)
            erased = await erase_again(beside(settings, NEW), manifest.created)
            older = await named(settings, FORMER)
            files = await asyncio.to_thread(_lay_back, settings, draft, _without(manifest.parts, erased))
            await swap(settings, new=NEW, former=former)
        for name in older:
            await drop(settings, name)
    await record(settings, PUT_BACK, path.name, manifest)
    return Restored(manifest, former if former in await named(settings, FORMER) else None, files, erased)


async def undo(
    settings: Settings, at: datetime, *, head: str, upgrade: Upgrade, erase_again: EraseAgain
) -> tuple[str, list[UUID]]:
    """Give the former database its place again; the one in use becomes the former.

    Returns its new name, and the firms that were deleted since the former was replaced: they are erased from it.
    """
    with shelf.at_work(settings.backups_path):
        former = await named(settings, FORMER)
        if not former:
            raise Refused("there is no former database: nothing was restored since, or it was undone")
        await upgrade(beside(settings, former[-1]))
        await check_posture(beside(settings, former[-1]).dsn(), head=head)
        erased = await erase_again(beside(settings, former[-1]), _replaced_at(former[-1]))
        name = _former(at)
        await swap(settings, new=former[-1], former=name)
    await record_change(settings, TAKEN_BACK, {"archive": None, "database": former[-1], "kept_as": name})
    return name, erased


def _former(at: datetime) -> str:
    """Return what the replaced database is called: to the microsecond, for two restores may follow in one second."""
    return f"{FORMER}{at:{_STAMP}}"


def _replaced_at(name: str) -> datetime:
    return datetime.strptime(name.removeprefix(FORMER), _STAMP).replace(tzinfo=UTC)


def _without(parts: list[Part], firms: list[UUID]) -> list[Part]:
    """Return the archive's parts without the files of some firms."""
    heads = tuple(f"{FILES}{firm.hex}/" for firm in firms)
    return [part for part in parts if not part.name.startswith(heads)]


async def _finish(settings: Settings, head: str, upgrade: Upgrade) -> None:
    """Bring the new database to this release, and let nothing in it pass for the present."""
    new = beside(settings, NEW)
    await upgrade(new)
    await let_nothing_pass(new.dsn(Role.OPS))
    await check_posture(new.dsn(), head=head)


async def let_nothing_pass(ops_url: str) -> None:
    """End all sessions of a database that comes from the past, and make its cached values unlike those of today."""
    conn = await asyncpg.connect(asyncpg_dsn(ops_url), timeout=10, server_settings={"statement_timeout": "0"})
    try:
        await conn.execute(_AFTERWARDS)
    finally:
        await conn.close(timeout=5)


def _lay_back(settings: Settings, draft: Path, parts: list[Part]) -> int:
    """Give back the keys and files that are missing or damaged; others stay. Returns the number of files."""
    keys = draft / archive.KEYS
    if keys.exists():
        add_keys(settings, keys.read_text(encoding="ascii"))
    laid = 0
    for part in parts:
        target = settings.files_path / part.name.removeprefix(FILES)
        if not part.name.startswith(FILES) or (target.is_file() and part_of(part.name, target) == part):
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _move(draft / part.name, target)
        laid += 1
    return laid


def _move(source: Path, target: Path) -> None:
    """Move a file, across disks too, so that a crash leaves all of it or none."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with source.open("rb") as read, open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        while block := read.read(1024 * 1024):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(target)
    source.unlink()
