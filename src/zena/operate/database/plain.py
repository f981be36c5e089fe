"""Statements without their values: what people typed must not reach a terminal or a ticket."""

import re
from typing import Final

_PARTS: Final = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r'|(?P<name>"(?:[^"]|"")*(?:"|\Z))'
    r"|(?P<value>\b[eE]'(?:\\.|''|[^'\\])*(?:'|\Z)"  # ended by the end where the server cut the text
    r"|'(?:''|[^'])*(?:'|\Z)"
    r"|(?<![\w$])\$(?P<tag>[A-Za-z_]\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
    r"|(?<![\w$])\$\$.*?(?:\$\$|\Z)"
    r"|(?<![\w$.])(?:\d[\w.]*|\.\d\w*))",
    re.DOTALL,
)


def without_values(statement: str, longest: int = 120) -> str:
    """Return a statement in one line, each literal as ?, comments left out, cut to `longest` characters."""
    plain = " ".join(_PARTS.sub(_put, statement).split())
    return plain if len(plain) <= longest else f"{plain[: longest - 3]}..."


def without_comments(statement: str) -> str:
    """Return a statement without its comments; literals and names stay as they are."""
    return _PARTS.sub(lambda found: " " if found["comment"] is not None else found[0], statement).strip()


def _put(found: re.Match[str]) -> str:
    if found["comment"] is not None:
        return " "
    return found[0] if found["name"] is not None else "?"
