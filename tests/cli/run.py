"""Running a command line as people do: a process, its two outputs, its exit code."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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
    done = subprocess.run(
        command(*arguments, module=module),
        env=variables(**values),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
