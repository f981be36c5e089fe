"""What an operator wants of a running supervisor: a small file beside its note, and a signal to look at it.

Standard library only.
"""

import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: A wish that nobody took for so many seconds is no obstacle to the next.
_STALE = 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """Replace the processes of one kind (web, worker, websocket), one by its name (web-2), "" for all, one by one.

    `id` tells it apart in the note. `values` are what the file of settings has now; None leaves those in force.
    """

    id: str
    kind: str
    values: Mapping[str, str] | None = field(default=None, repr=False)


class AnotherWish(Exception):  # noqa: N818 - what is in the way
    """Somebody else's wish was not taken yet."""


def read_note(state_file: Path) -> dict[str, Any] | None:
    """Return a supervisor's note; None where there is none, or none that can be read."""
    try:
        note = json.loads(state_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def ask(state_file: Path, supervisor: int, wish: Wish) -> None:
    """Leave a wish and wake the supervisor. PermissionError if it is another user's; AnotherWish if one waits."""
    path = _path(state_file)
    with suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > _STALE:
            path.unlink()
    try:
        with open(path, "x", encoding="utf-8", opener=_private) as stream:
            if os.geteuid() == 0:  # the supervisor may be another user than the operator
                owner = state_file.stat()
                os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
            json.dump(asdict(wish), stream)
    except FileExistsError as error:
        raise AnotherWish from error
    try:
        os.kill(supervisor, signal.SIGUSR1)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def take(state_file: Path) -> Wish | None:
    """Return the wish that waits and remove it; None if there is none, or none that can be read."""
    path = _path(state_file)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        values = found.get("values")
        return Wish(str(found["id"]), str(found["kind"]), values and {str(name): str(values[name]) for name in values})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # settings may be secrets


def _path(state_file: Path) -> Path:
    return state_file.with_suffix(".wish")
