"""The server's log between base backups: laid down by the server within 30 s, sealed by a worker within 20 more."""

import os
import re
import shutil
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from zena.kit.embedded.account import server_account
from zena.kit.embedded.place import choose
from zena.kit.embedded.running import read_state
from zena.operate.backup import shelf
from zena.operate.backup.sealed import SealedReader, SealedWriter
from zena.settings import KeyRing, Settings

MAJOR: Final = 18
_SUFFIX: Final = ".zwl"
_BLOCK: Final = 64 * 1024
#: Pieces of the log, and the notes between them; the first eight digits are the timeline.
_PIECE: Final = re.compile(r"[0-9A-F]{24}")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of the log: up to when, in how many sealed pieces and bytes; `waiting` are not sealed yet."""

    until: datetime | None
    pieces: int
    bytes: int
    waiting: int


def sealed_folder(settings: Settings) -> Path:
    return settings.backups_path / "wal"


def spool(settings: Settings) -> Path:
    """Return where the embedded server lays finished pieces of its log."""
    return choose(settings.data_dir, MAJOR, server_account()).wal


def seal(settings: Settings, ring: KeyRing) -> int:
    """Seal what the server has laid down since, and return how many files; Refused while another does."""
    folder, count = sealed_folder(settings), 0
    settings.backups_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with shelf.at_work(folder) as draft:
        for piece in sorted(_pieces(spool(settings))):
            writer = SealedWriter(draft / piece.name, ring.current)
            packer = zlib.compressobj(1)
            with piece.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    writer.write(packer.compress(block))
            writer.write(packer.flush())
            writer.close()
            laid = piece.stat().st_mtime  # what happened before is in this piece or an earlier one
            os.utime(draft / piece.name, (laid, laid))
            shelf.settle(draft / piece.name, folder / f"{piece.name}{_SUFFIX}")
            piece.unlink()
            count += 1
    return count


def unseal(settings: Settings, ring: KeyRing, into: Path, *, since: str) -> None:
    """Lay the log from one piece on into a directory: what was sealed, and what the server has laid down since."""
    # In this order: what is sealed meanwhile leaves the first place for the second.
    for piece in _pieces(spool(settings)):
        if _is_since(piece.name, since):
            with suppress(FileNotFoundError):
                shutil.copyfile(piece, into / piece.name)
    for path in sealed_folder(settings).glob(f"*{_SUFFIX}"):
        if _is_since(path.name.removesuffix(_SUFFIX), since):
            _open(path, ring, into / path.name.removesuffix(_SUFFIX))


def kept(settings: Settings) -> Kept:
    """Return what is kept of the log in the directory of backups, nothing where none is."""
    seen = [path.stat() for path in sealed_folder(settings).glob(f"*{_SUFFIX}") if _PIECE.match(path.name)]
    until = datetime.fromtimestamp(max(one.st_mtime for one in seen), UTC) if seen else None
    embedded = read_state(settings.data_dir) is not None
    waiting = sum(bool(_PIECE.fullmatch(path.name)) for path in _pieces(spool(settings))) if embedded else 0
    return Kept(until, len(seen), sum(one.st_size for one in seen), waiting)


def forget(settings: Settings, *, before: str) -> int:
    """Remove sealed pieces that no base backup needs any more; return how many."""
    old = [path for path in sealed_folder(settings).glob(f"*{_SUFFIX}") if not _is_since(path.name, before)]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _pieces(folder: Path) -> list[Path]:
    """Return what is complete; what is being written begins with a dot."""
    return [path for path in folder.glob("*") if not path.name.startswith(".")] if folder.is_dir() else []


def _is_since(name: str, since: str) -> bool:
    """Tell whether a file comes from this piece on, whatever its timeline; histories of timelines always do."""
    return not _PIECE.match(name) or name[8:24] >= since[8:24]


def _open(path: Path, ring: KeyRing, target: Path) -> None:
    """Write a sealed piece as it was; its empty tail takes no room on the disk."""
    reader, opener = SealedReader(path, ring), zlib.decompressobj()
    try:
        with target.open("wb") as out:
            while packed := reader.read(_BLOCK):
                _write(out, opener.decompress(packed))
            _write(out, opener.flush())
            out.truncate(out.tell())
    finally:
        reader.close()


def _write(out: BinaryIO, data: bytes) -> None:
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        if block.count(0) == len(block):
            out.seek(len(block), 1)
        else:
            out.write(block)
