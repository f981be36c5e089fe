"""Walking one row of words.md: its commands are run as they stand there, and what they say is looked at."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.run import variables
from tests.runbook.live import Live
from tests.runbook.words import Word
from zena.kit.embedded.wheel import installed

_BLANK = re.compile(r"\b[A-Z][A-Z0-9_]*\b")
_PATH = ":".join(
    (str(Path(sys.executable).parent), str(Path(installed(18).tool("psql")).parent), "/usr/local/bin:/usr/bin:/bin")
)


@dataclass(frozen=True)
class Told:
    """What a command said to a person, and, where it has that, to a program."""

    text: str
    data: Any = None
    err: str = ""


@dataclass
class Walk:
    """Runs the commands of one row, each spelled as in the table, its BLANKS filled in."""

    word: Word
    live: Live
    done: set[str] = field(default_factory=set)

    def __call__(self, command: str, *, code: int = 0, **blanks: Any) -> Told:
        """Run a command that changes nothing twice at once: for people, and with --json."""
        if not command.startswith("zena "):
            return self.once(command, code=code, **blanks)
        line = self._line(command, blanks)
        for_people, for_programs = _begun(line, self.live), _begun(f"{line} --json", self.live)
        text, err = _ended(line, for_people, code)
        told, _ = _ended(line, for_programs, code)
        return Told(text, json.loads(told) if told else None, err)

    def once(self, command: str, *, code: int = 0, as_json: bool = False, **blanks: Any) -> Told:
        line = self._line(command, blanks) + (" --json" if as_json else "")
        text, err = _ended(line, _begun(line, self.live), code)
        return Told(text, json.loads(text) if as_json else None, err)

    def told(self, command: str, **blanks: Any) -> Any:
        """Run a command that has --json in the table, and return what it told."""
        return json.loads(self.once(command, **blanks).text)

    def begin(self, command: str, **blanks: Any) -> "subprocess.Popen[str]":
        """Start a command that goes on; whoever calls ends it."""
        return _begun(self._line(command, blanks), self.live)

    def _line(self, command: str, blanks: dict[str, Any]) -> str:
        assert command in self.word.commands, f"the row has {self.word.commands}"
        self.done.add(command)
        return _BLANK.sub(lambda blank: str(blanks.get(blank[0], blank[0])), command)


#: What is asserted of a row, by its first cell.
ROWS: dict[str, Callable[[Walk], None]] = {}


def row(there: str) -> Callable[[Callable[[Walk], None]], Callable[[Walk], None]]:
    def keep(look: Callable[[Walk], None]) -> Callable[[Walk], None]:
        assert there not in ROWS, there
        ROWS[there] = look
        return look

    return keep


def _begun(line: str, live: Live) -> "subprocess.Popen[str]":
    values = {**live.site.values, "PATH": _PATH}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        ["bash", "-c", f"exec {line}"],
        env=variables(**values),
        cwd=live.site.folder,
        stdout=pipe,
        stderr=pipe,
        text=True,
    )


def _ended(line: str, process: "subprocess.Popen[str]", code: int) -> tuple[str, str]:
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == code, f"{line}: {process.returncode}\n{out}\n{err}"
    return out, err
