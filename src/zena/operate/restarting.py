"""New processes for old ones, from the supervisor that keeps them: found by its note, asked by a wish, waited for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from zena.kit.exits import Exit
from zena.kit.supervisor.leftovers import Mark
from zena.kit.supervisor.wish import AnotherWish, Wish, ask, read_note

Note = dict[str, Any]

_NOTES: Final = ("serve.json", "workers.json")
_POLL: Final = 0.1
#: Seconds to wait at most for each process: to start, and for its predecessor to drain.
_EACH: Final = 95.0


class NotReplaced(Exception):  # noqa: N818 - says what is
    """It was not to be, or is not yet; the message says why."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Replaced:
    """The processes by name, `before` and `after`, and how many seconds it took."""

    rows: list[dict[str, Any]]
    seconds: float

    @property
    def facts(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "processes": self.rows}

    @property
    def lines(self) -> list[str]:
        each = [f"{row['name']}: process {row['before']} -> {row['after']}" for row in self.rows]
        return [*each, f"done in {self.seconds:g} s"]


def supervisors(folder: Path) -> list[tuple[Path, Note]]:
    """Return the notes of the live supervisors of a data directory."""
    notes = [(path, note) for path in (folder / name for name in _NOTES) if (note := read_note(path)) is not None]
    return [(path, note) for path, note in notes if Mark(int(note["pid"]), int(note["born"])).alive]


def kind_of(name: str) -> str:
    """Return what a process does, whatever its number: web-2 is a web."""
    return name.rpartition("-")[0]


def replaced(note_file: Path, note: Note, which: str = "", values: Mapping[str, str] | None = None) -> Replaced:
    """Have a supervisor replace its processes of a kind, one by its name, or all, and wait. Raises NotReplaced.

    `values` are the settings of a file that the new ones are to have.
    """
    before = {name: pid for name, pid in note["crew"].items() if which in {"", kind_of(name), name}}
    if note["restart"].get("state") == "running":
        raise NotReplaced("a restart is under way already; try again when it is done", Exit.RETRY)
    wish = Wish(uuid4().hex, which, values)
    try:
        ask(note_file, int(note["pid"]), wish)
    except AnotherWish:
        raise NotReplaced("another restart was just asked for; try again in a moment", Exit.RETRY) from None
    except PermissionError:
        message = f"process {note['pid']} belongs to another user; run this as that user, or as root"
        raise NotReplaced(message, Exit.PERMISSION) from None
    began = time.monotonic()
    after = _awaited(note_file, wish.id, began + _EACH * max(1, len(before)))
    rows = [{"name": name, "before": before[name], "after": after.get(name)} for name in sorted(before)]
    return Replaced(rows, round(time.monotonic() - began, 1))


def _awaited(note_file: Path, wish: str, until: float) -> dict[str, int]:
    """Return the processes by name once the wish is fulfilled. Raises NotReplaced if it was not."""
    while time.monotonic() < until:
        note = read_note(note_file)
        state = note["restart"] if note else {}
        if note is None:
            raise NotReplaced("`zena serve` was stopped meanwhile", Exit.UNAVAILABLE)
        if state.get("id") == wish and state["state"] == "done":
            return dict(note["crew"])
        if state.get("id") == wish and state["state"] == "failed":
            message = f"the new {state['refused']} did not start, the old one stays; `zena serve` has said why"
            raise NotReplaced(message, Exit.UNAVAILABLE)
        time.sleep(_POLL)
    raise NotReplaced("it is not done yet; it goes on by itself, see `zena status`", Exit.RETRY)
