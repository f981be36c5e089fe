"""Running a command line as people do: a process, its two outputs, its exit code."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cli.forks import ran
from tests.kit.pg import environment

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def command(*arguments: str, module: str = "tests.cli.program") -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def variables(**values: object) -> dict[str, str]:
    return environment(PYTHONPATH=str(ROOT), **{name: str(value) for name, value in values.items()})


def zena(*arguments: str, module: str = "tests.cli.program", **values: object) -> Ran:
    code, out, err = ran(module, arguments, variables(**values), 60)
    return Ran(code, out.decode(), err.decode())
