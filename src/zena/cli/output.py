"""How commands speak: text for people, JSON with `--json`, errors as one line on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zena.kit.exits import Exit


@dataclass(slots=True)
class Mode:
    """How this run of the program speaks."""

    json: bool = False
    traceback: bool = False


MODE = Mode()


class CommandError(Exception):
    """A refusal of a command: one line for people, an exit code for scripts."""

    def __init__(self, message: str, code: Exit = Exit.DATA, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def say(data: Any, text: str | None = None) -> None:
    """Print a result: `data` as JSON with --json, else `text`."""
    print(json.dumps(data, default=str, ensure_ascii=False) if MODE.json else (str(data) if text is None else text))


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows: a JSON list of objects with --json, else aligned columns, or `(none)` below their names."""
    if MODE.json:
        say([{column: row.get(column) for column in columns} for row in rows])
        return
    cells = [list(columns), *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(columns))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    if not rows:
        print("(none)")


def confirm(counts: Mapping[str, int], *, yes: bool) -> None:
    """Print what a destructive command will touch; without --yes, stop before it does."""
    what = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"
    if not yes:
        raise CommandError(
            f"this would remove {what}; nothing was changed, add --yes to do it", Exit.USAGE, counts=dict(counts)
        )
    print(f"removing {what}", file=sys.stderr)


def complain(message: str, status: int, **details: Any) -> None:
    """Print an error: one line on stderr, or one JSON object there with --json."""
    line = " ".join(message.split())
    if MODE.json:
        print(json.dumps({"error": {"exit": int(status), "message": line, **details}}, default=str), file=sys.stderr)
    else:
        print(f"zena: {line}", file=sys.stderr)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return " ".join(str(value).split())
