"""Lines of the log files, newest first, over channels and over rotated files. No database is needed."""

import heapq
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from zena.kit.logfile import rotated
from zena.kit.logs.channels import CANARY

Line = dict[str, Any]

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_BLOCK: Final = 64 * 1024
#: Lines may stand so much out of order: processes write side by side, and lines held back come late.
_LATE: Final = timedelta(minutes=10)
_BEGIN: Final = b'{"at": "'


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are looked for; what is None or empty is not asked about. `text` in any case of letters.

    Lines by which a process tries whether errors can be read are none, unless `canaries` are wanted.
    """

    channels: tuple[str, ...] = ()
    level: str = "debug"
    text: str | None = None
    request: str | None = None
    tenant: str | None = None
    since: datetime | None = None
    canaries: bool = False

    def may_fit(self, line: bytes) -> bool:
        """Tell whether a line is worth decoding."""
        if self.text and self.text.lower() not in line.decode(errors="replace").lower():
            return False
        return all(part.encode() in line for part in (self.request, self.tenant) if part)

    def fits(self, line: Line) -> bool:
        return (
            (self.canaries or line.get("logger") != CANARY)
            and _severity(line) >= LEVELS.index(self.level)
            and (self.request is None or line.get("request_id") == self.request)
            and (self.tenant is None or str(line.get("tenant")) == self.tenant)
            and (self.since is None or when(line) >= self.since)
        )


def files_of(folder: Path, channels: tuple[str, ...] = ()) -> list[Path]:
    """Return the present files of the channels asked for, or of all there are."""
    return [path for path in sorted(folder.glob("*.log")) if not channels or path.stem in channels]


def newest(folder: Path, wanted: Wanted, limit: int | None = None) -> list[Line]:
    """Return the newest lines wanted, all of them without a limit, the oldest of them first."""
    channels = [_backwards(path, wanted) for path in files_of(folder, wanted.channels)]
    found: list[Line] = []
    for line in heapq.merge(*channels, key=lambda one: str(one["at"]), reverse=True):
        if limit is not None and len(found) >= limit:
            break
        found.append(line)
    return sorted(found, key=lambda one: str(one["at"]))


def decoded(raw: bytes) -> Line | None:
    """Return a line, also one that stands behind the rest of a torn one; None for what is no line."""
    for begin in (0, raw.rfind(_BEGIN)):
        if begin >= 0:
            try:
                line = msgspec.json.decode(raw[begin:])
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if isinstance(line, dict) and isinstance(line.get("at"), str):
                return line
    return None


def when(line: Line) -> datetime:
    return datetime.fromisoformat(line["at"])


def _severity(line: Line) -> int:
    level = line.get("level")
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def _backwards(path: Path, wanted: Wanted) -> Iterator[Line]:
    """Yield the lines wanted of one channel, newest first, until they are all too old."""
    oldest = f"{wanted.since - _LATE:%Y-%m-%dT%H:%M:%S}".encode() if wanted.since else b""
    with ExitStack() as opened:
        for file in _opened(path, opened):
            for raw in _raw_backwards(file):
                if raw.startswith(_BEGIN) and raw[len(_BEGIN) :] < oldest:
                    return
                line = decoded(raw) if wanted.may_fit(raw) else None
                if line is not None and wanted.fits(line):
                    yield line


def _opened(path: Path, opened: ExitStack) -> list[BinaryIO]:
    """Open the present file and those before it, the newest first; each once, though one is rotated meanwhile."""
    found: dict[int, BinaryIO] = {}
    for place in (path, *(old for _, old in reversed(rotated(path)))):
        with suppress(FileNotFoundError):
            file = opened.enter_context(place.open("rb"))
            found.setdefault(os.fstat(file.fileno()).st_ino, file)
    return list(found.values())


def _raw_backwards(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file from its end."""
    place, rest = file.seek(0, os.SEEK_END), b""
    while place > 0:
        step = min(_BLOCK, place)
        place -= step
        file.seek(place)
        rest, *lines = (file.read(step) + rest).split(b"\n")
        yield from (line for line in reversed(lines) if line)
    if rest:
        yield rest
