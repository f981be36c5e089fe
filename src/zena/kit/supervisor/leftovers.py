"""What a supervisor that was killed left behind: found by process id and start time, and ended before a new start."""

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATIENCE = 5.0
_POLL = 0.05
_START_TIME_FIELD = 19  # field 22 of proc_pid_stat(5), counted after the command's closing bracket


@dataclass(frozen=True, slots=True)
class Mark:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    born: int

    @property
    def alive(self) -> bool:
        return born(self.pid) == self.born


def born(pid: int) -> int | None:
    """Return the start time of a live process in ticks, 0 where the platform does not tell, None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else int(fields[_START_TIME_FIELD])
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self").exists() else 0
    except (OSError, ValueError, IndexError):
        return None


def write(path: Path, url: str, children: Iterable[int], more: Mapping[str, Any]) -> None:
    """Note who runs, for `clear` of the next start and for commands; `more` is what the latter want to know."""
    marks = [[pid, born(pid) or 0] for pid in children]
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    state = {"pid": os.getpid(), "born": born(os.getpid()) or 0, "url": url, "children": marks, **more}
    draft.write_text(json.dumps(state), encoding="utf-8")
    draft.replace(path)


def clear(path: Path) -> str | None:
    """End children of a supervisor that is gone. Returns the address where one still runs, or None."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        supervisor = Mark(int(state["pid"]), int(state["born"]))
        orphans = [Mark(int(pid), int(born_at)) for pid, born_at in state["children"]]
        address = str(state["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if supervisor.born and supervisor.alive and supervisor.pid != os.getpid():
        return f"{address} (process {supervisor.pid})"
    for number in (signal.SIGTERM, signal.SIGKILL):
        _end([mark for mark in orphans if mark.born and mark.alive], number)
    path.unlink(missing_ok=True)
    return None


def supervisor(path: Path) -> int | None:
    """Return the process id of the supervisor that wrote a note, if it still runs."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        mark = Mark(int(state["pid"]), int(state["born"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return mark.pid if mark.alive else None


def _end(marks: list[Mark], number: signal.Signals) -> None:
    for mark in marks:
        try:
            os.kill(mark.pid, number)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + _PATIENCE
    while any(mark.alive for mark in marks) and time.monotonic() < deadline:
        time.sleep(_POLL)
