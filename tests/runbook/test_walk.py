"""Every row of docs/operate/words.md on an installation that lives: its commands are run, their answers compared."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.runbook.live import Live, living
from tests.runbook.rows import cache, database, logs, people, queue, requests, sockets, tenants, worst
from tests.runbook.walk import ROWS, Walk
from tests.runbook.words import words

WORDS = {word.there: word for word in words()}
#: In this order: what replaces processes, closes or restores comes last.
PARTS = (requests, cache, database, sockets, people, tenants, logs, queue, worst)


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with living() as made:
        yield made


def test_every_row_is_walked_and_nothing_else() -> None:
    assert Counter(word.there for word in words()).most_common(1)[0][1] == 1
    assert sorted(ROWS) == sorted(WORDS)
    assert [word.there for word in words() if not word.commands] == []
    assert {look.__module__ for look in ROWS.values()} == {part.__name__ for part in PARTS}


@pytest.mark.proof
@pytest.mark.parametrize(
    "there", [there for part in PARTS for there, look in ROWS.items() if look.__module__ == part.__name__]
)
def test_what_is_typed_elsewhere_is_answered_here(there: str, live: Live) -> None:
    walk = Walk(WORDS[there], live)
    ROWS[there](walk)
    assert walk.done == set(walk.word.commands), "each command of the row is run"
