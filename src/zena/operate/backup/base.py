"""Base backups of the embedded server: a copy to start from, and with the log after it, any moment to go back to."""

import asyncio
import re
import tarfile
from datetime import datetime
from pathlib import Path
from typing import Final

from zena import __version__
from zena.kit.embedded.running import passwords_path, read_state
from zena.kit.exits import Exit
from zena.operate.backup import archive, shelf, tools, wal
from zena.operate.backup.archive import Manifest, part_of
from zena.operate.backup.contents import fences_of, reading, revision_of
from zena.operate.backup.raising import raised
from zena.operate.backup.records import record
from zena.operate.backup.refusal import Refused
from zena.settings import KeyRing, Role, Settings, load_backup_keys

#: Base backups kept, with all of the log since the older one.
KEEP: Final = 2
_ON: Final = "SELECT current_setting('archive_mode') = 'on'"
_FACTS: Final = "SELECT pg_database_size(current_database()) AS bytes, current_setting('server_version') AS server"
_FIRST: Final = re.compile(r"^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)", re.MULTILINE)


def keeps_log(settings: Settings) -> bool:
    """Tell whether this is an embedded server that is told to keep its log."""
    return settings.backup_wal and read_state(settings.data_dir) is not None


async def make_base(settings: Settings, at: datetime) -> shelf.Kept:
    """Copy the running embedded server, start the copy once for proof, and only then give it its name.

    Refused where the server does not keep its log (ZENA_BACKUP_WAL), or is not the embedded one.
    """
    folder, ring = settings.backups_path, load_backup_keys(settings, make=True)
    if read_state(settings.data_dir) is None:
        raise Refused("base backups are of the embedded server; yours has tools of its own", Exit.CONFIG)
    with shelf.at_work(folder) as draft:
        final = folder / shelf.name_at(at, shelf.BASES)
        written = draft / final.name
        manifest = await _write(settings, ring, at, written)
        await asyncio.to_thread(_prove, settings, ring, written, draft)
        shelf.settle(written, final)
        shelf.drop_old(folder, KEEP, shelf.BASES)
        oldest = archive.manifest_of(shelf.kept(folder, shelf.BASES)[-1].path, ring)
        wal.forget(settings, before=oldest.wal or "")
    await record(settings, "base backup made, and started for proof", final.name, manifest)
    return shelf.Kept(final, at, final.stat().st_size)


async def _write(settings: Settings, ring: KeyRing, at: datetime, target: Path) -> Manifest:
    url, copy = settings.dsn(Role.BACKUP), target.parent / archive.BASE
    async with reading(url) as conn:
        if not await conn.fetchval(_ON):
            raise Refused("the server does not keep its log: set ZENA_BACKUP_WAL=true and start anew", Exit.CONFIG)
        facts, fences = await conn.fetchrow(_FACTS), await fences_of(conn)
        revision = await revision_of(conn)
    shelf.check_room(target.parent, facts["bytes"])
    how = ("--pgdata=-", "--format=tar", "--wal-method=none", "--checkpoint=fast", "--no-manifest")
    await tools.run("pg_basebackup", url, *how, "--compress=client-gzip:1", output=copy)
    sources = [copy, passwords_path(settings.data_dir, wal.MAJOR), settings.keys_path]
    names = (archive.BASE, archive.PASSWORDS, archive.KEYS)
    manifest = Manifest(
        format=archive.FORMAT,
        release=__version__,
        revision=revision or "",
        created=at,
        server=facts["server"],
        database_bytes=facts["bytes"],
        tables={},
        fences=fences,
        parts=[part_of(name, source) for name, source in zip(names, sources, strict=True)],
        wal=await asyncio.to_thread(_first_piece, copy),
    )
    await asyncio.to_thread(archive.write, target, ring.current, manifest, sources)
    copy.unlink()
    return manifest


def _first_piece(copy: Path) -> str:
    """Return the first piece of the log that a copy needs, as its own label says."""
    with tarfile.open(copy, "r:gz") as tar:
        label = tar.extractfile("backup_label")
        found = _FIRST.search(label.read().decode()) if label else None
    if found is None:
        raise Refused("pg_basebackup wrote a copy without a label", Exit.UNAVAILABLE)
    return found[1]


def _prove(settings: Settings, ring: KeyRing, path: Path, draft: Path) -> None:
    manifest = archive.unpack(path, ring, draft, files=False)
    with raised(settings, ring, draft, manifest, until=None) as copy:
        asyncio.run(copy.check(manifest))
