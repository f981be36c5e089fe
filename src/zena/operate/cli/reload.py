"""`zena config reload`: what was changed in the file of settings, brought into the running processes."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, say
from zena.kit.exits import Exit
from zena.operate.cli.restart import replaced
from zena.operate.restarting import supervisors

if TYPE_CHECKING:
    from zena.operate.reloading import Change

app = typer.Typer(help="Settings: check, show, reload.", no_args_is_help=True, add_completion=False)


@app.callback()
def config() -> None:
    """Settings: check, show, reload."""


@app.command()
def reload(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what differs.")] = False,
) -> None:
    """Check the settings, say what differs from the running processes, and replace these one by one.

    No request is refused. Wrong settings are refused (78) and nothing is
    touched; so are those that `zena serve` decides at its start, such as the
    port. If a new process does not start, all go on as before (69).

    Example: zena config reload --dry-run
    """
    from zena.settings import data_dir

    folder = data_dir(os.environ)  # the rest is judged with the environment of the server, not with ours
    found = supervisors(folder)
    if not found:
        message = f"no `zena serve` runs in {folder}; what systemd or a container keeps is restarted there"
        raise CommandError(message, Exit.UNAVAILABLE)
    changes = [_planned(note) for _, note in found]
    for change in changes:
        _check(change)
    rows = [row for change in changes for row in change.rows]
    lines = [f"{row['variable']}: {row['before'] or '-'} -> {row['after'] or '-'}" for row in rows]
    lines = lines or [_nothing(changes[0])]
    facts: dict[str, Any] = {"changed": rows, "processes": [], "seconds": 0.0}
    if not dry_run:
        for (note_file, note), change in zip(found, changes, strict=True):
            done = replaced(note_file, note, values=change.values)
            facts["processes"] += done.rows
            facts["seconds"] += done.seconds
            lines += done.lines
    say(facts, "\n".join(lines))


def _nothing(change: "Change") -> str:
    """Say where was looked: who has changed what stands in the environment looks here in vain."""
    where = f"read {change.file}" if change.file else "there is no file of settings"
    return f"no setting differs ({where}; what stands in the environment of `zena serve` changes with its restart)"


def _planned(note: dict[str, Any]) -> "Change":
    from zena.operate.reloading import Unreadable, planned

    try:
        return planned(int(note["pid"]), {str(name): int(pid) for name, pid in note["crew"].items()})
    except Unreadable as unreadable:
        raise CommandError(str(unreadable), unreadable.code) from unreadable


def _check(change: "Change") -> None:
    if change.at_start:
        names = ", ".join(change.at_start)
        message = f"{names}: decided when `zena serve` starts; stop and start it, or take the change back"
        raise CommandError(f"{message}; nothing was changed", Exit.CONFIG)
