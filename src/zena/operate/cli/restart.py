"""`zena restart`: new processes for old ones, one at a time, with no request refused."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zena.cli import CommandError, say
from zena.kit.exits import Exit

if TYPE_CHECKING:
    from zena.operate.restarting import Note, Replaced

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback()
def restart(
    kind: Annotated[str, typer.Argument(help="web, worker or websocket; or one process by its name, web-2.")],
) -> None:
    """Start a successor for each process of a kind; the old one ends its work when the new one takes over.

    Example: zena restart web
    """
    from zena.settings import data_dir

    note_file, note = _supervisor_of(data_dir(os.environ), kind)  # whatever else the settings say by now
    done = replaced(note_file, note, kind)
    say({"kind": kind, **done.facts}, "\n".join(done.lines))


def replaced(note_file: Path, note: "Note", kind: str = "", values: Mapping[str, str] | None = None) -> "Replaced":
    """Have a supervisor replace its processes of a kind, or all, and wait; CommandError if that was not to be.

    `values` are the settings of a file that the new ones are to have.
    """
    from zena.operate import restarting

    try:
        return restarting.replaced(note_file, note, kind, values)
    except restarting.NotReplaced as why:
        raise CommandError(str(why), why.code) from None


def _supervisor_of(folder: Path, kind: str) -> "tuple[Path, Note]":
    """Return the note of the live supervisor that keeps processes of a kind; CommandError if none does."""
    from zena.operate.restarting import kind_of, supervisors

    found: set[str] = set()
    for path, note in supervisors(folder):
        kinds = {kind_of(name) for name in note.get("crew", {})}
        if kind in kinds or kind in note.get("crew", {}):
            return path, note
        found |= kinds
    if found:
        raise CommandError(f"no {kind} runs here; there is {', '.join(sorted(found))}", Exit.USAGE)
    message = f"no `zena serve` runs in {folder}; what systemd or a container keeps is restarted there"
    raise CommandError(message, Exit.UNAVAILABLE)
