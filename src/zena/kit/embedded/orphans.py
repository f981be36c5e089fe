"""Servers that outlived who started them: found by the cluster's own lock file, and ended before a new start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from zena.kit.embedded.urls import EmbeddedError

_POLL = 0.02
#: Seconds for a fast shutdown (rolls back, writes a checkpoint), then for an immediate one.
_FAST, _IMMEDIATE = 30.0, 5.0
#: Seconds after which a fast shutdown has to write its checkpoint.
_SETTLING = 1.0
_STATUS_LINE = 7
#: Where global/pg_control says what the server does, in all versions, and the words of DBState for a shutdown.
_STATE = slice(16, 20)
_SHUT_DOWN, _SHUTTING_DOWN = 1, 3


def status(cluster: Path) -> tuple[int, str] | None:
    """Return the process id and the status word in the cluster's lock file, None without one."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        return int(lines[0]), lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""
    except (OSError, ValueError, IndexError):
        return None


def end_orphan(cluster: Path) -> None:
    """End a server of this cluster that nobody holds; to be called with the data directory's lock held."""
    found = status(cluster)
    if found is None:
        return
    pid, _ = found
    if serves(pid, cluster):
        end(pid, cluster, lambda: not serves(pid, cluster))
        _wait_until_reaped(pid, cluster)
    elif alive(pid):
        # After a reboot the number may be another program's, and PostgreSQL would refuse to start for its sake.
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def _wait_until_reaped(pid: int, cluster: Path) -> None:
    """Wait for the number of a server that left its lock file to become free, or PostgreSQL would refuse to start.

    The file itself must stay: it leads to the memory that parts of the dead server may still hold.
    """
    deadline = time.monotonic() + _IMMEDIATE
    while alive(pid) and status(cluster) is not None and time.monotonic() < deadline:
        time.sleep(_POLL)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def serves(pid: int, cluster: Path) -> bool:
    """Tell whether a process is the postmaster of this cluster."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        ps = ["/bin/ps", "-p", str(pid), "-o", "command="]
        shown = subprocess.run(ps, capture_output=True, check=False, timeout=10)  # noqa: S603 - a number
        command = shown.stdout.split()
    except OSError:
        return False
    return os.fsencode(cluster) in command and Path(os.fsdecode(command[0])).name == "postgres"


def end(pid: int, cluster: Path, gone: Callable[[], bool]) -> None:
    """Stop a postmaster: fast, then immediate, then by kill. EmbeddedError if it survives that."""
    for number, patience in ((signal.SIGINT, _FAST), (signal.SIGQUIT, _IMMEDIATE), (signal.SIGKILL, _IMMEDIATE)):
        if gone():
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        began = time.monotonic()
        while time.monotonic() < began + patience:
            if gone():
                return
            if number == signal.SIGINT and time.monotonic() > began + _SETTLING and not _is_shutting_down(cluster):
                break
            time.sleep(_POLL)
    raise EmbeddedError(f"process {pid}, a leftover of the embedded database, cannot be ended")


def _is_shutting_down(cluster: Path) -> bool:
    """Tell whether a server writes its last checkpoint.

    One that was told to stop when a part of it had crashed and the recovery had not begun waits for ever: nobody tells
    its checkpointer (PostgreSQL 18.4). It has nothing to write down, and its next start recovers.
    """
    try:
        with (cluster / "global" / "pg_control").open("rb") as stream:
            return int.from_bytes(stream.read(_STATE.stop)[_STATE], sys.byteorder) in {_SHUT_DOWN, _SHUTTING_DOWN}
    except OSError:
        return False
