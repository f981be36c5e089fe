"""Keyset pages: every row once, in order, whatever the directions; cursors that nobody can make up."""

import base64
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Row, Select, String, Table, create_engine, select

from zena.kit.errors import Invalid
from zena.kit.pages import Cursors, Key, Value, after, after_sql, order_by, order_by_sql, page_limit, page_of

CURSORS = Cursors(lambda: [b"k" * 32])


def wrong(call: object, *arguments: object) -> str:
    with pytest.raises(Invalid) as refused:
        call(*arguments)  # type: ignore[operator]  # any of the functions of this room
    return refused.value.fields[0].path


@pytest.mark.parametrize(
    "values",
    [
        ("a|b", 1, None),
        (uuid4(), datetime(2026, 3, 1, 12, 30, 1, 500, tzinfo=UTC), date(2026, 3, 1)),
        (True, 1.5, 2**63 - 1, -(2**63), "", "Đường"),
        (),
    ],
)
def test_values_come_back_as_they_were(values: tuple[Value, ...]) -> None:
    opened = CURSORS.open("tasks", CURSORS.seal("tasks", values))
    assert opened == values
    assert [type(value) for value in opened] == [type(value) for value in values]


def test_a_cursor_belongs_to_one_listing_and_one_installation() -> None:
    token = CURSORS.seal("tenant-a:tasks:rank", ["x", uuid4()])
    assert wrong(CURSORS.open, "tenant-b:tasks:rank", token) == "cursor"
    assert wrong(CURSORS.open, "tenant-a:tasks", token) == "cursor"
    assert wrong(Cursors(lambda: [b"q" * 32]).open, "tenant-a:tasks:rank", token) == "cursor"


def test_listing_and_body_cannot_be_shifted_into_each_other() -> None:
    token = CURSORS.seal("a:", ["x"])
    assert wrong(CURSORS.open, "a", token) == "cursor"


@pytest.mark.parametrize(
    "token", ["", "x", "é", "!!!!", "A" * 22, "A" * 5000, "W10", "=", "\x00", base64.b64encode(b"[]" * 20).decode()]
)
def test_made_up_cursors(token: str) -> None:
    assert wrong(CURSORS.open, "tasks", token) == "cursor"


def test_every_changed_character_is_noticed() -> None:
    token = CURSORS.seal("tasks", ["x", 5])
    for place in range(len(token) - 1):
        for other in "AZ_":
            if token[place] != other:
                assert wrong(CURSORS.open, "tasks", token[:place] + other + token[place + 1 :]) == "cursor"


def test_H05_limits() -> None:
    assert (page_limit(None), page_limit(1), page_limit(100)) == (50, 1, 100)
    for bad in (0, -1, 101, 10**9):
        assert wrong(page_limit, bad) == "limit"


def test_a_page_knows_whether_more_follow() -> None:
    assert page_of([1, 2, 3], 2, str).page.next == "2"
    assert page_of([1, 2], 2, str).page.next is None
    empty: Sequence[int] = []
    assert page_of(empty, 2, str).data == []


TABLE = Table(
    "row",
    MetaData(),
    Column("name", String),
    Column("size", Integer, nullable=True),
    Column("id", Integer, primary_key=True),
)
ORDERS = [
    [Key(TABLE.c.name), Key(TABLE.c.id)],
    [Key(TABLE.c.name, descending=True), Key(TABLE.c.id, descending=True)],
    [Key(TABLE.c.name, descending=True), Key(TABLE.c.id)],
    [Key(TABLE.c.size, nullable=True), Key(TABLE.c.id)],
    [Key(TABLE.c.size, descending=True, nullable=True), Key(TABLE.c.name), Key(TABLE.c.id, descending=True)],
]


@pytest.mark.parametrize("keys", ORDERS)
@pytest.mark.parametrize("limit", [1, 3, 7])
def test_every_row_once_and_in_order(keys: list[Key], limit: int) -> None:
    engine = create_engine("sqlite://")
    TABLE.metadata.create_all(engine)
    shuffled = random.Random(7)  # noqa: S311 - a repeatable shuffle
    rows = [{"name": shuffled.choice("abc"), "size": shuffled.choice([None, 1, 2]), "id": n} for n in range(40)]
    columns = [key.column for key in keys]

    def statement() -> Select[tuple[object, ...]]:
        return select(TABLE.c.id, *columns).order_by(*order_by(keys))

    with engine.begin() as connection:
        connection.execute(TABLE.insert(), rows)
        expected = [row[0] for row in connection.execute(statement())]
        seen: list[object] = []
        token: str | None = None
        while True:
            query = statement().limit(limit + 1)
            if token:
                query = query.where(after(keys, CURSORS.open("rows", token)))
            page = page_of(list(connection.execute(query)), limit, _sealed)
            seen += [row[0] for row in page.data]
            token = page.page.next
            if token is None:
                break
    assert seen == expected


def _sealed(row: Row[tuple[object, ...]]) -> str:
    return CURSORS.seal("rows", list(row[1:]))


def test_sql_of_one_direction_is_a_row_comparison() -> None:
    keys = [Key("t.rank"), Key("t.id")]
    one = UUID(int=1)
    assert after_sql(keys, ["a", one], 3) == ("(t.rank, t.id) > ($3, $4)", ["a", one])
    assert order_by_sql(keys) == "t.rank ASC, t.id ASC"
    down = [Key("t.rank", descending=True), Key("t.id", descending=True)]
    assert after_sql(down, ["a", one], 1)[0] == "(t.rank, t.id) < ($1, $2)"


def test_sql_of_mixed_directions_and_nulls() -> None:
    keys = [Key("due", descending=True, nullable=True), Key("id")]
    sql, bound = after_sql(keys, [None, 5], 2)
    assert sql == "(((due < $2 OR ($2 IS NOT NULL AND due IS NULL))) OR (due IS NOT DISTINCT FROM $2 AND id > $3))"
    assert bound == [None, 5]
    assert order_by_sql(keys) == "due DESC NULLS LAST, id ASC"


@given(st.lists(st.integers(), max_size=4))
def test_a_cursor_with_too_few_or_many_values(values: list[int]) -> None:
    keys = [Key(TABLE.c.name), Key(TABLE.c.id)]
    if len(values) != len(keys):
        assert wrong(after, keys, values) == "cursor"
        assert wrong(after_sql, keys, values) == "cursor"
