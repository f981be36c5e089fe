"""Other ids for the same rows: in keys, in arrays, in what events say, wherever the old one stands."""

import re
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from zena.kit.ids import new_id

#: A file's key, or an id.
_NAMES: Final = re.compile(
    rb"[0-9a-f]{32}/[0-9a-f]{2}/[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_AT_ONCE: Final = 4096  # lines
#: Columns that name objects of the firm; those of events also such as are gone.
_IDS: Final = frozenset({"id", "subject_id", "batch_id"})
_NULL: Final = b"\\N"


@dataclass(slots=True)
class Names:
    """Old names and new ones, as they stand in rows."""

    known: dict[bytes, bytes] = field(default_factory=dict)

    def add(self, old: object, new: object) -> None:
        if str(old) != str(new):
            self.known[str(old).encode()] = str(new).encode()

    def __call__(self, text: bytes) -> bytes:
        return _NAMES.sub(lambda found: self.known.get(found[0], found[0]), text) if self.known else text


def give_new_ids(names: Names, folder: Path, columns: Mapping[str, list[str]], people: Collection[UUID]) -> None:
    """Choose new ids for all but people, in the order of the old ones: what was made first stays first."""
    old: set[bytes] = set()
    for table, there in columns.items():
        places = [at for at, column in enumerate(there) if column in _IDS]
        with (folder / table).open("rb") as lines:
            for line in lines if places else ():
                cells = line.rstrip(b"\n").split(b"\t")
                old.update(cells[at] for at in places)
    old -= {_NULL, *(str(one).encode() for one in people)}
    for one in sorted(old):
        names.known[one] = str(new_id()).encode()


async def renamed(path: Path, names: Names) -> AsyncIterator[bytes]:
    """Yield the rows of a table with the new names, some thousand lines at a time."""
    with path.open("rb") as lines:
        held: list[bytes] = []
        for line in lines:
            held.append(names(line))
            if len(held) == _AT_ONCE:
                yield b"".join(held)
                held = []
        yield b"".join(held)
