"""`make check`: every step in turn, one line each with its seconds; what a failed step said stands below its line."""

import os
import subprocess
import sys
import time
from pathlib import Path

from scripts.tree import ROOT

BIN = Path(sys.executable).parent
PYTHON = sys.executable

STEPS: dict[str, list[str]] = {
    "format": [f"{BIN}/ruff", "format", "--check", "--output-format=concise"],
    "lint": [f"{BIN}/ruff", "check", "--quiet", "--output-format=concise"],
    "house rules": [PYTHON, "-m", "scripts.house_rules"],
    "types": [f"{BIN}/mypy", "--no-error-summary"],
    "imports": [f"{BIN}/lint-imports", "--no-logo"],
    "packages": [PYTHON, "-m", "scripts.packages"],
    "sizes": [PYTHON, "-m", "scripts.budgets"],
    "pages": [PYTHON, "-m", "scripts.pages"],
    "translations": [PYTHON, "-m", "scripts.translations"],
    "migrations drift": [PYTHON, "-m", "scripts.migrations", "drift"],
    "migrations locks": [PYTHON, "-m", "scripts.migrations", "locks"],
    "committed hosts": [PYTHON, "-m", "scripts.committed"],
}


def main(wanted: list[str]) -> int:
    """Run the steps whose names start with one of the words, or all; return how many failed."""
    failed = [name for name in STEPS if not wanted or name.startswith(tuple(wanted)) if not passed(name)]
    print(f"{len(failed)} failed: {', '.join(failed)}" if failed else "all checks passed")
    return len(failed)


def passed(name: str) -> bool:
    """Run one step and print its line."""
    began = time.monotonic()
    done = subprocess.run(
        STEPS[name],
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    print(f"{'ok  ' if done.returncode == 0 else 'FAIL'}  {name:<18}{time.monotonic() - began:6.1f} s", flush=True)
    if done.returncode:
        print("".join(f"      {line}\n" for line in done.stdout.strip().splitlines()), flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
