"""The figures as a table for people and as JSON for comparing runs."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.rows import Row

RESULTS = Path(__file__).parent / "results"
_LINE = "{:<34} {:>12} {:>10} {:>24} {:>7}  {}"


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def heading() -> str:
    return _LINE.format("", "figure", "p95 ms", "against", "ratio", "goal")


def line(row: Row) -> str:
    """Return one row as people read it."""
    verdict = "met" if row.met else "MISSED"
    failed = f", {row.failures} FAILED ANSWERS" if row.failures else ""
    return _LINE.format(
        row.name,
        f"{row.value:,.1f} {row.unit}",
        f"{row.p95:,.1f}",
        f"{row.base_name} {row.base:,.1f}",
        f"{row.ratio:.2f}",
        f"{row.goal}: {verdict}{failed}",
    )


def write(rows: Sequence[Row], facts: dict[str, Any]) -> Path:
    """Write everything that was measured, with what it was measured on; return the file."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    path = RESULTS / f"{now:%Y%m%d-%H%M%S}.json"
    whole = {"at": now.isoformat(), "machine": _machine(), **facts, "rows": rows}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1))
    return path


def _machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - whichever git is there
        capture_output=True,
        text=True,
        check=False,
        cwd=RESULTS.parent,
    )
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }
