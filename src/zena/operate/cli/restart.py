"""`zena restart`: new processes for old ones, one at a time, with no request refused."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from zena.cli import CommandError, say, settings
from zena.kit.exits import Exit

app = typer.Typer(invoke_without_command=True, add_completion=False)

_NOTES = ("serve.json", "workers.json")
_POLL = 0.1
#: Seconds to wait at most for each process: to start, and for its predecessor to drain.
_EACH = 95.0


@app.callback()
def restart(kind: Annotated[str, typer.Argument(help="web, worker or websocket.")]) -> None:
    """Start a successor for each process of a kind; the old one ends its work when the new one takes over.

    Example: zena restart web
    """
    from uuid import uuid4

    from zena.kit.supervisor.wish import AnotherWish, Wish, ask

    note_file, note = _supervisor_of(settings().data_dir, kind)
    before = {name: pid for name, pid in note["crew"].items() if _kind(name) == kind}
    if note["restart"].get("state") == "running":
        raise CommandError("a restart is under way already; try again when it is done", Exit.RETRY)
    wish = Wish(uuid4().hex, kind)
    try:
        ask(note_file, int(note["pid"]), wish)
    except AnotherWish:
        raise CommandError("another restart was just asked for; try again in a moment", Exit.RETRY) from None
    except PermissionError:
        message = f"process {note['pid']} belongs to another user; run this as that user, or as root"
        raise CommandError(message, Exit.PERMISSION) from None
    began = time.monotonic()
    after = _awaited(note_file, wish.id, began + _EACH * max(1, len(before)))
    rows = [{"name": name, "before": before.get(name), "after": after.get(name)} for name in sorted(before)]
    lines = [f"{row['name']}: process {row['before']} -> {row['after']}" for row in rows]
    took = round(time.monotonic() - began, 1)
    say({"kind": kind, "seconds": took, "processes": rows}, "\n".join([*lines, f"done in {took:g} s"]))


def _supervisor_of(folder: Path, kind: str) -> tuple[Path, dict[str, Any]]:
    """Return the note of the live supervisor that keeps processes of a kind; CommandError if none does."""
    from zena.kit.supervisor.leftovers import Mark
    from zena.kit.supervisor.wish import read_note

    found: set[str] = set()
    for path in (folder / name for name in _NOTES):
        note = read_note(path)
        if note is None or not Mark(int(note["pid"]), int(note["born"])).alive:
            continue
        kinds = {_kind(name) for name in note.get("crew", {})}
        if kind in kinds:
            return path, note
        found |= kinds
    if found:
        raise CommandError(f"no {kind} runs here; there is {', '.join(sorted(found))}", Exit.USAGE)
    message = f"no `zena serve` runs in {folder}; what systemd or a container keeps is restarted there"
    raise CommandError(message, Exit.UNAVAILABLE)


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
