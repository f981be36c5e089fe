"""Where things lie when nobody says so."""

import os
from pathlib import Path

from platformdirs import user_data_dir


def checkout() -> Path | None:
    """Return the root of the source checkout this package runs from, or None when it is installed."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() and (root / "src" / "zena").is_dir() else None


def default_data_dir() -> Path:
    """Return `var` of a checkout, else the user's data directory of the platform."""
    root = checkout()
    return root / "var" if root else Path(user_data_dir("zena", appauthor=False))


def why_not_writable(directory: Path) -> str | None:
    """Return why nothing can be written under a directory that may not exist yet, or None if all is well."""
    if directory.exists() and not directory.is_dir():
        return "is a file"
    nearest = next(place for place in (directory, *directory.parents) if place.exists())
    if not nearest.is_dir():
        return f"cannot be made: {nearest} is a file"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return "is not writable" if nearest == directory else f"cannot be made: {nearest} is not writable"
    return None
