"""Sizes: files, functions, templates, browser modules, packages. Complexity and parameters are ruff's part.

Exceptions stand in budget_exceptions.toml, each with the size it has and a reason. That file may only shrink: one
that is no longer needed fails, one with more room than needed fails, and none may be added to its first version.
"""

import ast
import statistics
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scripts import tree
from scripts.findings import report

EXCEPTIONS = "scripts/budget_exceptions.toml"
LIMITS = {"file": 250, "test": 400, "template": 80, "module": 120, "function": 60, "packages": 60}
MEDIAN, NINE_OF_TEN = 10, 30
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Size:
    """How large one thing is: `kind` is a key of LIMITS, `name` a path, for functions `path::name`."""

    kind: str
    name: str
    size: int


def sizes() -> Iterator[Size]:
    """Yield the size of everything that has a limit."""
    for path in tree.files(".py", below=("src/", "scripts/", "bench/", "tests/")):
        yield Size("test" if path.startswith("tests/") else "file", path, len(tree.read(path).splitlines()))
        yield from (Size("function", f"{path}::{name}", size) for name, size in functions(tree.parse(path)))
    for path in tree.files(".html", below=("src/",)):
        yield Size("template", path, len(tree.read(path).splitlines()))
    for path in tree.files(".js", below=("src/",)):
        yield Size("module", path, len(tree.read(path).splitlines()))
    yield Size("packages", "requirements/core.lock", packages(tree.read("requirements/core.lock")))


def functions(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield qualified name and lines of each function, from `def` to its last line, decorators left out."""
    yield from _functions(module, "")


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        inner = f"{prefix}{child.name}." if isinstance(child, _Function | ast.ClassDef) else prefix
        if isinstance(child, _Function):
            yield f"{prefix}{child.name}", (child.end_lineno or child.lineno) - child.lineno + 1
        yield from _functions(child, inner)


def packages(lock: str) -> int:
    """Count what a lock installs on Linux; lines for other systems do not count."""
    pins = [line for line in lock.splitlines() if "==" in line.split(" ")[0]]
    return sum("'nt'" not in pin and "'win32'" not in pin for pin in pins)


def judge(found: Iterable[Size], exceptions: dict[tuple[str, str], int]) -> Iterator[str]:
    """Yield one line for each size over its limit and each exception that is not needed as it stands."""
    left = dict(exceptions)
    for one in found:
        usual = LIMITS[one.kind]
        own = left.pop((one.kind, one.name), None)
        if own is None and one.size > usual:
            yield f"{one.name}: {one.size}, over the limit of {usual} ({one.kind})"
        elif own is not None and one.size <= usual:
            yield f"{one.name}: fits its limit now, remove its exception"
        elif own is not None and one.size != own:
            yield f"{one.name}: {one.size} where its exception says {own}; it may only shrink, and the entry with it"
    yield from (f"{name}: an exception for nothing, remove it" for _, name in left)


def shape(found: Iterable[int]) -> Iterator[str]:
    """Yield a line if functions have grown long all over."""
    lengths = sorted(found)
    if len(lengths) > NINE_OF_TEN:
        median, ninth = statistics.median(lengths), lengths[len(lengths) * 9 // 10]
        if median > MEDIAN:
            yield f"the median function has {median:g} lines, and may have {MEDIAN}"
        if ninth > NINE_OF_TEN:
            yield f"one function in ten has over {ninth} lines, and may have {NINE_OF_TEN}"


def exceptions_of(text: str) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Return the exceptions of the file, and what is wrong with the file itself."""
    entries = tomllib.loads(text).get("exception", [])
    wrong = [
        f"{EXCEPTIONS}: {entry['name']} gives no reason" for entry in entries if not entry.get("reason", "").strip()
    ]
    return {(entry["kind"], entry["name"]): int(entry["size"]) for entry in entries}, wrong


def grown(now: dict[tuple[str, str], int], first: dict[tuple[str, str], int]) -> Iterator[str]:
    """Yield a line for each exception that the first version of the file did not have, or had smaller."""
    for (kind, name), size in now.items():
        if size > first.get((kind, name), 0):
            yield f"{EXCEPTIONS}: {name} was added or enlarged; this file may only shrink"


def first_version() -> str | None:
    """Return the exceptions as first committed, or None where history does not say."""
    log = ["git", "log", "--diff-filter=A", "--format=%H", "--", EXCEPTIONS]
    commits = subprocess.run(log, cwd=tree.ROOT, check=True, capture_output=True, text=True).stdout.split()
    if not commits:
        return None
    show = ["git", "show", f"{commits[-1]}:{EXCEPTIONS}"]
    return subprocess.run(show, cwd=tree.ROOT, check=True, capture_output=True, text=True).stdout


def findings() -> Iterator[str]:
    """Yield one line for each broken budget of this repository."""
    exceptions, wrong = exceptions_of(tree.read(EXCEPTIONS))
    yield from wrong
    first = first_version()
    if first is not None:
        yield from grown(exceptions, exceptions_of(first)[0])
    found = list(sizes())
    yield from judge(found, exceptions)
    yield from shape(one.size for one in found if one.kind == "function" and one.name.startswith("src/"))


if __name__ == "__main__":
    report(findings())
