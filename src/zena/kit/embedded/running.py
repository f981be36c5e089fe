"""What other processes read to reach the running embedded server: where it listens, and the passwords (0600)."""

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from zena.kit.embedded.urls import ClusterUrls, EmbeddedError
from zena.kit.roles import DATABASE, ROLES

_STATE = "postgres.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started."""

    pid: int
    major: int
    sockets: str
    port: int | None
    cluster: str
    database: str = DATABASE

    @property
    def socket_file(self) -> Path:
        return Path(self.sockets) / f".s.PGSQL.{self.port or 5432}"


def urls_of_running(data_dir: Path, *, database: str | None = None) -> ClusterUrls | None:
    """Return how to reach the server of a data directory, or None if none answers; another database than its own."""
    state = read_state(data_dir)
    if state is None or not _answers(state.socket_file):
        return None
    return ClusterUrls.of(
        load_passwords(data_dir, state.major),
        Path(state.sockets),
        port=state.port,
        database=database or state.database,
    )


def read_state(data_dir: Path) -> Running | None:
    """Return what the last start wrote, whether or not the server still runs."""
    try:
        return Running(**json.loads((data_dir / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_state(data_dir: Path, state: Running) -> None:
    write_private(data_dir / _STATE, json.dumps(asdict(state)))


def forget_state(data_dir: Path) -> None:
    (data_dir / _STATE).unlink(missing_ok=True)


def passwords_path(data_dir: Path, major: int) -> Path:
    return data_dir / "secrets" / f"postgres-{major}.json"


def load_passwords(data_dir: Path, major: int) -> dict[str, str]:
    """Return the password of each role; EmbeddedError if the file is gone or damaged."""
    path = passwords_path(data_dir, major)
    try:
        passwords = json.loads(path.read_text(encoding="utf-8"))
        return {role: str(passwords[role]) for role in (*ROLES, "superuser")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbeddedError(
            f"the passwords of the embedded database cannot be read from {path}; put that file back from a backup, "
            "or read as the user who started the server"
        ) from error


def make_passwords(data_dir: Path, major: int) -> None:
    """Make a random password for each role unless that was done before."""
    path = passwords_path(data_dir, major)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        write_private(path, json.dumps({role: secrets.token_urlsafe(24) for role in (*ROLES, "superuser")}))


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
