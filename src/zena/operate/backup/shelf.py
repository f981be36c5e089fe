"""The directory of backups: what lies in it counts, because an archive gets its name after it was restored once."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from zena.kit.durable import sync_folder
from zena.kit.exits import Exit
from zena.operate.backup.refusal import Refused

_STAMP: Final = "%Y%m%dT%H%M%SZ"
#: What each kind of archive is called by: a dump of everything, and a copy of the server to go on from.
DUMPS, BASES = "zena-", "base-"
_SUFFIX: Final = ".zbk"
_DRAFT: Final = ".draft-"
#: Left free on the disk whatever we write.
_SPARE: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """An archive that was restored once, for proof. `size` in bytes."""

    path: Path
    at: datetime
    size: int


def name_at(at: datetime, kind: str = DUMPS) -> str:
    return f"{kind}{at:{_STAMP}}{_SUFFIX}"


def kept(folder: Path, kind: str = DUMPS) -> list[Kept]:
    """Return the archives of one kind in a directory, newest first."""
    found = []
    for path in folder.glob(f"{kind}*{_SUFFIX}") if folder.is_dir() else ():
        try:
            at = datetime.strptime(path.name.removeprefix(kind).removesuffix(_SUFFIX), _STAMP).replace(tzinfo=UTC)
            found.append(Kept(path, at, path.stat().st_size))
        except (ValueError, FileNotFoundError):
            continue  # somebody else's file, or gone meanwhile
    return sorted(found, key=lambda one: one.at, reverse=True)


def chosen(folder: Path, wanted: str) -> Path:
    """Return the archive that a person names: `latest`, a name in the directory, or a path."""
    if wanted == "latest":
        there = kept(folder)
        if not there:
            raise Refused(f"there is no backup in {folder}; `zena backup create` makes one")
        return there[0].path
    for path in (Path(wanted), folder / wanted):
        if path.is_file():
            return path
    raise Refused(f"there is no backup {wanted}: `zena backup list` names those in {folder}")


def drop_old(folder: Path, keep: int, kind: str = DUMPS) -> list[Path]:
    """Remove all but the newest `keep` archives of one kind."""
    old = [one.path for one in kept(folder, kind)[keep:]]
    for path in old:
        path.unlink(missing_ok=True)
    return old


@contextmanager
def at_work(folder: Path) -> Iterator[Path]:
    """Hold the directory for one command and lend a private place in it, empty at first and gone afterwards.

    Refused while another command holds it; what one that was killed has left is removed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise Refused(f"process {lock.read().strip()} is at work on the backups; try later", Exit.RETRY) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        for left in folder.glob(f"{_DRAFT}*"):
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=folder))
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def check_room(folder: Path, needed: int) -> None:
    """Raise Refused unless a disk has room for `needed` bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        wanted = (needed + _SPARE) // 10**6
        raise Refused(f"{folder} has {free // 10**6} MB free, and {wanted} MB may be needed", Exit.IO)


def settle(draft: Path, final: Path) -> None:
    """Give a complete archive its name, durably."""
    draft.rename(final)
    sync_folder(final.parent)
