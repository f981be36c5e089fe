"""The system user the server runs as when we are root, which PostgreSQL refuses to be."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from zena.kit.embedded.urls import EmbeddedError

_NAME = "zena"
_FALLBACK = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """A system user by number."""

    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Tell whether the account may pass every directory above a path and use the path itself (mode bits only)."""
        resolved = path.resolve()
        return all(self._allowed(place) for place in (*resolved.parents, resolved) if place.exists())

    def _allowed(self, place: Path) -> bool:
        status = place.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == self.gid else stat.S_IXOTH))

    def give(self, path: Path) -> None:
        """Make the account the owner of a path, not of what a symbolic link points to."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account() -> Account | None:
    """Return who runs the server: None for ourselves, or an unprivileged account, made when needed, if we are root."""
    if os.geteuid() != 0:
        return None
    entry = _find(_NAME) or _made() or _find(_FALLBACK)
    if entry is None or entry.pw_uid == 0:
        raise EmbeddedError(
            "PostgreSQL refuses to run as root and no system user could be made for it; "
            f"run `useradd --system {_NAME}`, start as another user, or set ZENA_DATABASE_URL"
        )
    return Account(entry.pw_uid, entry.pw_gid)


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _made() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    arguments = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    arguments += ["--shell", "/usr/sbin/nologin"]
    # Two starts at once: the loser's useradd fails, the name is there all the same.
    subprocess.run([useradd, *arguments, _NAME], check=False, capture_output=True, timeout=30)  # noqa: S603 - fixed words
    return _find(_NAME)
