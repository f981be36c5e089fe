"""The last slow and failed requests in a file of the process: it can be read when the database cannot."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from zena.operate.telemetry.requests import Kept

#: Records kept; the file is rewritten when it holds twice as many.
MOST: Final = 500
_WORTH: Final = frozenset({"failed", "slow", "repeated", "denied", "statement"})


class Ring:
    """One file per process, DATA_DIR/telemetry/ROLE-PID.jsonl, one JSON object per line, the last one last."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.jsonl"
        self._lines = 0

    def open(self) -> None:
        """Make the folder, for us and our group only; drop the files of processes that are long gone."""
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        others = sorted(self.path.parent.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
        for old in others[:-16]:
            old.unlink(missing_ok=True)

    def write(self, records: Iterable[Kept]) -> None:
        """Append what is worth it. Blocks for a moment: call it in a thread."""
        lines = [msgspec.json.encode(record) + b"\n" for record in records if record.kept_for in _WORTH]
        if not lines:
            return
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        with os.fdopen(handle, "ab") as file:
            file.writelines(lines)
        self._lines += len(lines)
        if self._lines > 2 * MOST:
            self._shorten()

    def _shorten(self) -> None:
        kept = self.path.read_bytes().splitlines(keepends=True)[-MOST:]
        fresh = self.path.with_suffix(".new")
        fresh.write_bytes(b"".join(kept))
        fresh.chmod(0o640)
        fresh.replace(self.path)
        self._lines = len(kept)


def read_rings(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what the rings of a data directory hold; a line that was cut off in the middle is left out."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line) | {"process": path.stem}
            except msgspec.DecodeError:
                continue
