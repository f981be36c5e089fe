"""The table of docs/operate/words.md: what an operator of another system types, and what does it here."""

import re
from dataclasses import dataclass

from scripts.tree import read

PAGE = "docs/operate/words.md"
_HEADER = "| there | here |"
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Word:
    """One row. `there` is its first cell without ticks; `commands` are those of its second, in order."""

    there: str
    commands: tuple[str, ...]
    why: str


def words() -> list[Word]:
    found, inside = [], False
    for line in read(PAGE).splitlines():
        inside = line.startswith("|") and (inside or line.startswith(_HEADER))
        if inside and not line.startswith((_HEADER, "|---")):
            there, here, why = (cell.strip().replace("\\|", "|") for cell in _CELL.split(line)[1:-1])
            found.append(Word(there.replace("`", ""), tuple(re.findall(r"`([^`]+)`", here)), why))
    assert found, f"{PAGE} has no table {_HEADER}"
    return found
