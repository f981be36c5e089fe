"""Going back to a moment: a base backup and the log since, started and checked beside the server, then in its place."""

import asyncio
import ctypes
import os
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from zena.kit import changes
from zena.kit.db import dialled
from zena.kit.embedded.account import server_account
from zena.kit.embedded.attach import with_urls
from zena.kit.embedded.place import choose, lock
from zena.kit.embedded.running import passwords_path, write_private
from zena.operate.backup import archive, shelf, wal
from zena.operate.backup.proving import check_release
from zena.operate.backup.raising import Copy, raised
from zena.operate.backup.records import REWOUND
from zena.operate.backup.refusal import Refused
from zena.operate.backup.restoring import EraseAgain, let_nothing_pass
from zena.settings import Settings, add_keys, load_backup_keys

_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2  # RENAME_EXCHANGE


def rewind(
    settings: Settings, at: datetime, *, to: datetime | None, head: str, erase_again: EraseAgain
) -> tuple[Path, list[UUID]]:
    """Put the database of a moment, or of the end of the log, in the place of the embedded server's; it must not run.

    Returns where the former cluster is kept, and the firms that were deleted after that moment: they are erased again.
    AlreadyRunning if Zena serves; Refused at any step, all is as it was.
    """
    ring, real = load_backup_keys(settings, make=False), choose(settings.data_dir, wal.MAJOR, server_account())
    with closing(lock(real.base)), shelf.at_work(settings.backups_path) as draft:
        path = _newest(settings, to or at)
        check_release(path, archive.manifest_of(path, ring), head)
        manifest = archive.unpack(path, ring, draft, files=False)
        with raised(settings, ring, draft, manifest, until=to) as copy:
            told = {"archive": path.name, "moment": to or "the end of the log"}
            erased = asyncio.run(_check(settings, copy, manifest, to, erase_again, told))
            copy.server.stop()
            add_keys(settings, (draft / archive.KEYS).read_text(encoding="ascii"))
            passwords = passwords_path(settings.data_dir, wal.MAJOR)
            passwords.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(passwords, (draft / archive.PASSWORDS).read_text(encoding="utf-8"))
            real.marker.unlink(missing_ok=True)
            former = real.base / f"{wal.MAJOR}-before-{at:%Y%m%d_%H%M%S}"
            _exchange(copy.place.cluster, real.cluster)
            if copy.place.cluster.exists():
                copy.place.cluster.rename(former)
    return former, erased


async def _check(
    settings: Settings, copy: Copy, manifest: archive.Manifest, to: datetime | None, erase_again: EraseAgain,
    told: dict[str, Any],
) -> list[UUID]:  # fmt: skip
    await copy.check(manifest)
    await let_nothing_pass(copy.urls.ops)
    async with dialled(copy.urls.ops, "zena-backup") as conn:
        await changes.record(conn, "backup", REWOUND, after=told)
        last: datetime | None = await conn.fetchval("SELECT pg_last_xact_replay_timestamp()")
    return await erase_again(with_urls(settings, copy.urls), to or last or manifest.created)


def _newest(settings: Settings, moment: datetime) -> Path:
    there = shelf.kept(settings.backups_path, shelf.BASES)
    before = [one for one in there if one.at < moment]
    if not before:
        oldest = f"the oldest is of {there[-1].at:%Y-%m-%d %H:%M:%S} UTC" if there else "`zena backup base` makes one"
        raise Refused(f"there is no base backup before {moment:%Y-%m-%d %H:%M:%S} UTC: {oldest}")
    return before[0].path


def _exchange(new: Path, old: Path) -> None:
    """Let two directories change their names at once; where the second is not there, the first moves."""
    if not old.exists():
        new.rename(old)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_HERE, os.fsencode(new), _HERE, os.fsencode(old), _EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(old))
