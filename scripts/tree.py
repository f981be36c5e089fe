"""The files of the repository as git knows them, new ones included; what git ignores is nobody's business."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def files(*suffixes: str, below: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield paths relative to the root, sorted, with one of the suffixes and below one of the folders if given."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for path in sorted(filter(None, set(listed))):
        if path.endswith(suffixes or "") and path.startswith(below or "") and (ROOT / path).is_file():
            yield path


def read(path: str) -> str:
    """Return the text of a file, or an empty string for one that is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def parse(path: str) -> ast.Module:
    """Return the tree of a Python file; one that does not parse ends the check with its line."""
    try:
        return ast.parse(read(path), path)
    except SyntaxError as error:
        sys.exit(f"{path}:{error.lineno}: {error.msg}")
