"""The key ring of a running process, which a rotation reaches without a restart."""

import logging
from pathlib import Path

from zena.settings.keys import KeyRing, load_keys, read_ring
from zena.settings.model import Settings
from zena.settings.problems import SettingsError

log = logging.getLogger(__name__)

#: What tells one state of a file from another; None where there is none.
_Mark = tuple[int, int, int] | None


class LiveRing:
    """Looks at the file at each use, some microseconds: all processes of a machine change over at the same instant.

    A file that is gone or cannot be trusted changes nothing: what was read stays in force, and the log says why.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.keys_path
        self._mark = _mark(self._path)
        self._ring = load_keys(settings)

    def __call__(self) -> KeyRing:
        """Return the ring in force."""
        mark = _mark(self._path)  # before reading: what changes meanwhile is read again at the next use
        if mark != self._mark:
            self._mark = mark
            try:
                self._ring = read_ring(self._path)
            except (SettingsError, OSError) as error:
                log.error("the key ring cannot be read, and the keys in force stay: %s", error)  # noqa: TRY400 - where is said
        return self._ring


def _mark(path: Path) -> _Mark:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
