"""Log files as they grow, over rotation: what `tail -F` does, without losing what was written in between."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from zena.kit.logfile import rotated
from zena.operate.logs.reading import Line, Wanted, decoded, files_of

_TRIES: Final = 10


class Follower:
    """One channel from its present end on."""

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        self.path = path
        self._file: BinaryIO = path.open("rb")
        self._rest = b""
        if not from_start:
            self._file.seek(0, os.SEEK_END)

    def lines(self) -> Iterator[bytes]:
        """Yield the whole lines that were written since the last call, those of rotated files first."""
        yield from self._read()
        while not self._is_present():
            yield from self._read()  # written between the last look and the rotation
            following = self._following()
            if following is None:
                return
            self._file.close()
            self._file, self._rest = following, b""
            yield from self._read()

    def close(self) -> None:
        self._file.close()

    def _read(self) -> Iterator[bytes]:
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        yield from (line for line in lines if line)

    def _is_present(self) -> bool:
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False

    def _following(self) -> BinaryIO | None:
        """Open the file that came after ours; None while there is none yet.

        The files may be rotated once more while we look: then ours has another number, and we look again.
        """
        own = os.fstat(self._file.fileno())
        for _ in range(_TRIES):
            try:
                newer = [*(old for _, old in rotated(self.path)), self.path]
                place = next((n for n, file in enumerate(newer) if os.path.samestat(file.stat(), own)), -1)
                if place + 1 == len(newer):
                    return None
                found = newer[place + 1].open("rb")
                if place < 0 or os.path.samestat(newer[place].stat(), own):
                    return found
                found.close()
            except FileNotFoundError:
                continue
        return None


def following(folder: Path, wanted: Wanted) -> Iterator[list[Line]]:
    """Yield what was written since the last step, in order of time; whoever asks decides how often. Never ends."""
    followers = {path: Follower(path) for path in files_of(folder, wanted.channels)}
    while True:
        for path in files_of(folder, wanted.channels):
            if path not in followers:
                followers[path] = Follower(path, from_start=True)
        lines = [
            line
            for follower in followers.values()
            for raw in follower.lines()
            if wanted.may_fit(raw) and (line := decoded(raw)) is not None and wanted.fits(line)
        ]
        yield sorted(lines, key=lambda one: str(one["at"]))
