"""Where the parts of a cluster lie. Directories of the server's user are never written to by us when we are root."""

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from zena.kit.embedded.account import Account
from zena.kit.embedded.urls import AlreadyRunning, EmbeddedError

#: Where a cluster goes when its user cannot pass the directories above the data directory (root's home).
SHELTER = Path("/var/lib/zena")
#: `sun_path` holds 108 bytes on Linux and 104 elsewhere, with a NUL; the socket's own name takes some.
_LONGEST_SOCKET_PATH = 103
_SOCKET_NAME = "/.s.PGSQL.65535.lock"


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of one cluster. `base` is ours; `cluster`, `logs` and the sockets belong to the server."""

    base: Path
    major: int

    @property
    def cluster(self) -> Path:
        return self.base / str(self.major)

    @property
    def drafts(self) -> Iterator[Path]:
        """Where clusters grew that never became complete."""
        return self.base.glob(f"{self.major}-draft-*")

    def new_draft(self) -> Path:
        """Return where a new cluster may grow. No name is used twice.

        The initdb of a start that was killed still runs for a moment, and then removes what it finds under its own.
        """
        return self.base / f"{self.major}-draft-{secrets.token_hex(4)}"

    @property
    def config(self) -> Path:
        return self.base / f"{self.major}-config"

    @property
    def logs(self) -> Path:
        return self.base / "log"

    @property
    def wal(self) -> Path:
        """Where the server lays finished pieces of its log, if it is told to."""
        return self.base / "wal"

    @property
    def startup_log(self) -> Path:
        return self.base / "startup.log"

    @property
    def marker(self) -> Path:
        """Holds the digest of the bootstrap script that was run last."""
        return self.base / f"{self.major}-bootstrapped"


def choose(data_dir: Path, major: int, account: Account | None) -> Place:
    """Return where the cluster of a data directory lies, making the directories of ours."""
    base = data_dir / "postgres"
    try:
        # 0711: the server's user passes through, and sees nothing.
        _make(data_dir, 0o711)
        _make(base, 0o711)
        if account is not None and not account.reaches(base):
            _make(SHELTER, 0o755)
            base = SHELTER / _shelter_name(base)
            _make(base, 0o711)
    except OSError as error:
        raise EmbeddedError(f"{error.filename} cannot be made ({error.strerror}); set ZENA_DATA_DIR") from error
    if account is not None and not account.reaches(base):
        raise EmbeddedError(
            f"the database's user (uid {account.uid}) may not pass the directories above {base}; "
            "set ZENA_DATA_DIR to a directory that others may pass, such as /var/lib/zena"
        )
    return Place(base, major)


def _shelter_name(base: Path) -> str:
    """Return the name kept in the data directory: it moves along, and a new data directory gets a new cluster."""
    note = base / "shelter"
    if not note.exists():
        draft = note.with_name(f".{note.name}-{secrets.token_hex(4)}")
        draft.write_text(secrets.token_hex(6), encoding="ascii")
        # Whole or not at all, and the first of two starts wins: an empty name would be everybody's shelter.
        with suppress(FileExistsError):
            note.hardlink_to(draft)
        draft.unlink()
    return note.read_text(encoding="ascii")


def _make(directory: Path, mode: int) -> None:
    """Make a directory with this mode whatever the umask; one that is there stays as it is."""
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(mode)


def lock(base: Path) -> TextIO:
    """Take the data directory for this process; it is free again when the returned file closes or we die."""
    stream = (base / "lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.seek(0)
        holder = stream.read().strip() or "unknown"
        stream.close()
        raise AlreadyRunning(
            f"another zena (process {holder}) serves {base.parent}; stop it, or set ZENA_DATA_DIR"
        ) from error
    stream.truncate(0)
    stream.write(f"{os.getpid()}\n")
    stream.flush()
    return stream


def own(directory: Path, account: Account | None) -> None:
    """Make a directory that only the server's user can open."""
    directory.mkdir(exist_ok=True, mode=0o700)
    if account is not None:
        account.give(directory)


def socket_directory(place: Place, account: Account | None) -> Path:
    """Return the directory of the socket: beside the cluster, or a short one where that path is too long."""
    near = place.base / "run"
    if len(os.fsencode(near)) + len(_SOCKET_NAME) <= _LONGEST_SOCKET_PATH:
        own(near, account)
        return near
    runtime = os.environ.get("XDG_RUNTIME_DIR") if account is None else None
    short = runtime if runtime and Path(runtime).is_dir() else "/tmp"  # noqa: S108 - mkdtemp makes a private one in it
    made = Path(tempfile.mkdtemp(prefix="zena-", dir=short))
    if account is not None:
        account.give(made)
    return made


def forget_socket_directory(place: Place, directory: Path) -> None:
    """Remove a short socket directory that we made, and nothing else."""
    if directory == place.base / "run" or not directory.name.startswith("zena-"):
        return
    try:
        status = directory.lstat()
    except OSError:
        return
    if stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == stat.S_IRWXU:
        shutil.rmtree(directory, ignore_errors=True)
