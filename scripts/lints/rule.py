"""What a rule is, and how it is run over a file."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

#: `# allow: sql-literal - the name comes from the catalog` on the line itself, or alone on the line above.
_ALLOW = re.compile(r"#\s*allow:\s*([a-z-]+)(?:\s+-\s+(\S.*))?$")

#: A line and what is wrong there.
Finding = tuple[int, str]


@dataclass(frozen=True)
class Source:
    """One Python file; `path` is relative to the repository."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "Source":
        return cls(path, text, ast.parse(text, path))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, walked once for all rules."""
        return tuple(ast.walk(self.tree))

    @property
    def room(self) -> str:
        """Path below src/zena, or an empty string for a file elsewhere."""
        return self.path.removeprefix("src/zena/") if self.path.startswith("src/zena/") else ""


@dataclass(frozen=True)
class Sample:
    """A piece of code, and the file it pretends to stand in."""

    path: str
    code: str


@dataclass(frozen=True)
class Rule:
    """`find` yields findings for one file; `good` must yield none and each of `bad` at least one."""

    name: str
    why: str
    find: Callable[[Source], Iterator[Finding]]
    good: tuple[Sample, ...]
    bad: tuple[Sample, ...]


def calls(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls among some nodes."""
    return (node for node in nodes if isinstance(node, ast.Call))


def name_of(node: ast.expr) -> str:
    """Return the last part of a plain or dotted name, or an empty string for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def run(rule: Rule, source: Source) -> Iterator[Finding]:
    """Yield the findings that no comment of the file allows with a reason, and comments that allow nothing."""
    allowed = _allowed(rule, source.text)
    used = set()
    for line, message in rule.find(source):
        if line in allowed:
            used.add(line)
        else:
            yield line, message
    for line in sorted({allowed[covered] for covered in allowed} - {allowed[covered] for covered in used}):
        yield line, f"`allow: {rule.name}` allows nothing here: remove it"


def _allowed(rule: Rule, text: str) -> dict[int, int]:
    """Return the lines a comment covers, each with the comment's own line."""
    covered = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _ALLOW.search(line)
        if found and found[1] == rule.name and found[2]:
            covered[number] = number
            if line.lstrip().startswith("#"):
                covered[number + 1] = number
    return covered
