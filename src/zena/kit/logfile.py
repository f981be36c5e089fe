"""A log file that several processes append to: whole lines, rotated by whoever finds it full, no line lost.

The standard library alone, because the supervisor writes here too. NAME.log is the present file, NAME.log.1 the one
before, and so on. Lines never go through a buffer: what `write` has taken is in the file.
"""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o750
FILE_MODE: Final = 0o640
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
_TRIES: Final = 5


class LogFile:
    """One channel's file as this process sees it. `trouble` says why lines are not taken; None: all is well."""

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self.path, self.max_bytes, self.keep = path, max_bytes, keep
        self.trouble: str | None = None
        self._fd = -1
        self._torn = False  # the file ends in the middle of a line: a full disk, a killed process

    def write(self, lines: bytes) -> bytes:
        """Append whole lines; return those that were not taken, all or the last ones. Blocks as the disk does."""
        left = lines
        try:
            for _ in range(_TRIES):
                left = self._append(left)
                if not left:
                    break
        except OSError as error:
            self.trouble = error.strerror or type(error).__name__
            self.close()
        else:
            self.trouble = f"{self.path.name} does not stand still" if left else None
        return left

    def look(self) -> None:
        """Find out whether lines would be taken, without writing one."""
        try:
            self._open()
            if not os.access(self.path, os.W_OK):
                raise PermissionError(0, "Read-only or not ours to write")
        except OSError as error:
            self.trouble = error.strerror or type(error).__name__
            self.close()

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _append(self, lines: bytes) -> bytes:
        """Write once; return what is still to be written."""
        size = self._open()
        if size and size + len(lines) > self.max_bytes and self._rotate():
            self._open()
        start = b"\n" if self._torn else b""
        taken = os.write(self._fd, start + lines) - len(start)
        if taken < len(lines):  # the disk is full: the next line begins on a line of its own
            whole = lines.rfind(b"\n", 0, max(taken, 0)) + 1
            self._torn = whole != taken
            return lines[whole:]
        self._torn = False
        # Others may have rotated the file out of existence since it was opened: then nobody will ever read that line.
        return b"" if os.fstat(self._fd).st_nlink else lines

    def _open(self) -> int:
        """Have the present file open, anew where another process has rotated it or somebody removed it; its size."""
        with suppress(FileNotFoundError):
            there = self.path.lstat()
            if self._fd >= 0 and os.path.samestat(there, os.fstat(self._fd)):
                return there.st_size
        self.close()
        if not self.path.parent.exists():
            make_folder(self.path.parent)
        fd = os.open(self.path, _FLAGS, FILE_MODE)
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            raise OSError(0, f"{self.path.name} is no file")
        with suppress(PermissionError):  # somebody else's file, which we may write
            if stat.S_IMODE(found.st_mode) != FILE_MODE:
                os.fchmod(fd, FILE_MODE)
            folder = self.path.parent.stat()
            if os.geteuid() == 0 and found.st_uid != folder.st_uid:  # a command of root's; the service must write too
                os.fchown(fd, folder.st_uid, folder.st_gid)
        self._fd = fd
        self._torn = found.st_size > 0 and os.pread(fd, 1, found.st_size - 1) != b"\n"
        return found.st_size

    def _rotate(self) -> bool:
        """Move the present file away, unless another process does that just now; its lock is the file itself."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            if not os.path.samestat(self.path.lstat(), os.fstat(self._fd)):
                return True
            for number, old in rotated(self.path):
                if number >= self.keep:
                    old.unlink(missing_ok=True)
                else:
                    old.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
            self.path.rename(self.path.with_name(f"{self.path.name}.1"))
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        return True


def rotated(path: Path) -> list[tuple[int, Path]]:
    """Return the files rotated away with their numbers, the oldest (the highest number) first."""
    there = ((old.name.removeprefix(f"{path.name}."), old) for old in path.parent.glob(f"{path.name}.*"))
    return sorted(((int(number), old) for number, old in there if number.isascii() and number.isdigit()), reverse=True)


def make_folder(folder: Path) -> None:
    """Make a folder for logs, closed to strangers whatever the umask; its parent must be there. An old one is left."""
    with suppress(FileExistsError):
        folder.mkdir(FOLDER_MODE)
        folder.chmod(FOLDER_MODE)
        above = folder.parent.stat()
        if os.geteuid() == 0 and above.st_uid != 0:
            os.chown(folder, above.st_uid, above.st_gid)
