"""Programs of other people that tests start: the system's, or those scripts/test_tools.sh has unpacked."""

import os
import shutil

import pytest

from scripts.tree import ROOT

_UNPACKED = ROOT / ".venv" / "tools"
_PLACES = (
    *os.environ.get("PATH", "").split(":"),
    "/usr/sbin",
    *(f"{_UNPACKED}/usr/{part}" for part in ("bin", "sbin")),
)


def program(name: str) -> str:
    """Return the path of a program, or skip loudly."""
    found = shutil.which(name, path=":".join(_PLACES))
    if found is None:
        pytest.skip(f"LOUD SKIP: {name} is not installed")
    return found
