"""`zena restart`: new processes for old ones, one at a time, with no request refused."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from zena.cli import CommandError, say
from zena.kit.exits import Exit

app = typer.Typer(invoke_without_command=True, add_completion=False)

_NOTES = ("serve.json", "workers.json")
_POLL = 0.1
#: Seconds to wait at most for each process: to start, and for its predecessor to drain.
_EACH = 95.0


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


@app.callback()
def restart(kind: Annotated[str, typer.Argument(help="web, worker or websocket.")]) -> None:
    """Start a successor for each process of a kind; the old one ends its work when the new one takes over.

    Example: zena restart web
    """
    from zena.settings import data_dir

    note_file, note = _supervisor_of(data_dir(os.environ), kind)  # whatever else the settings say by now
    done = replaced(note_file, note, kind)
    say({"kind": kind, **done.facts}, "\n".join(done.lines))


def replaced(
    note_file: Path, note: dict[str, Any], kind: str = "", values: Mapping[str, str] | None = None
) -> "Replaced":
    """Have a supervisor replace its processes of a kind, or all, and wait; CommandError if that was not to be.

    `values` are the settings of a file that the new ones are to have.
    """
    from uuid import uuid4

    from zena.kit.supervisor.wish import AnotherWish, Wish, ask

    before = {name: pid for name, pid in note["crew"].items() if kind in {"", _kind(name)}}
    if note["restart"].get("state") == "running":
        raise CommandError("a restart is under way already; try again when it is done", Exit.RETRY)
    wish = Wish(uuid4().hex, kind, values)
    try:
        ask(note_file, int(note["pid"]), wish)
    except AnotherWish:
        raise CommandError("another restart was just asked for; try again in a moment", Exit.RETRY) from None
    except PermissionError:
        message = f"process {note['pid']} belongs to another user; run this as that user, or as root"
        raise CommandError(message, Exit.PERMISSION) from None
    began = time.monotonic()
    after = _awaited(note_file, wish.id, began + _EACH * max(1, len(before)))
    rows = [{"name": name, "before": before[name], "after": after.get(name)} for name in sorted(before)]
    return Replaced(rows, round(time.monotonic() - began, 1))


def _supervisor_of(folder: Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """Return the note of the live supervisor that keeps processes of a kind; CommandError if none does."""
    found: set[str] = set()
    for path, note in supervisors(folder):
        kinds = {_kind(name) for name in note.get("crew", {})}
        if kind in kinds:
            return path, note
        found |= kinds
    if found:
        raise CommandError(f"no {kind} runs here; there is {', '.join(sorted(found))}", Exit.USAGE)
    message = f"no `zena serve` runs in {folder}; what systemd or a container keeps is restarted there"
    raise CommandError(message, Exit.UNAVAILABLE)


def supervisors(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return the notes of the live supervisors of a data directory."""
    from zena.kit.supervisor.leftovers import Mark
    from zena.kit.supervisor.wish import read_note

    notes = [(path, note) for path in (folder / name for name in _NOTES) if (note := read_note(path)) is not None]
    return [(path, note) for path, note in notes if Mark(int(note["pid"]), int(note["born"])).alive]


def _awaited(note_file: Path, wish: str, until: float) -> dict[str, int]:
    """Return the processes by name once the wish is fulfilled; CommandError if it was not."""
    from zena.kit.supervisor.wish import read_note

    while time.monotonic() < until:
        note = read_note(note_file)
        state = note["restart"] if note else {}
        if note is None:
            raise CommandError("`zena serve` was stopped meanwhile", Exit.UNAVAILABLE)
        if state.get("id") == wish and state["state"] == "done":
            return dict(note["crew"])
        if state.get("id") == wish and state["state"] == "failed":
            message = f"the new {state['refused']} did not start, the old one stays; `zena serve` has said why"
            raise CommandError(message, Exit.UNAVAILABLE)
        time.sleep(_POLL)
    raise CommandError("it is not done yet; it goes on by itself, see `zena status`", Exit.RETRY)


def _kind(name: str) -> str:
    return name.rpartition("-")[0]
