"""One page of any list, as JSON made by the database: filters, order, keyset, total when asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from zena.kit.db import Raw
from zena.kit.pages import Cursors, Key, after_sql, order_by_sql
from zena.work.queries.bound import Bound


@dataclass(frozen=True, slots=True)
class Listing:
    """A list before paging. `name` is what its cursors are good for; `body` the JSON expression of a row."""

    name: str
    source: str
    where: Sequence[str]
    bound: Bound
    body: str
    keys: Sequence[Key]
    limit: int
    cursor: str | None = None
    count: bool = False


@dataclass(frozen=True, slots=True)
class PageJson:
    """A page as the API sends it, `{"data": [...], "page": {...}}`."""

    body: bytes
    rows: int


async def fetch_page(conn: Raw, cursors: Cursors, listing: Listing) -> PageJson:
    """Run a listing; one row more than asked for tells whether a next page exists."""
    total = await _total(conn, listing) if listing.count else None
    rows = await conn.fetch(*_statement(cursors, listing))
    shown = rows[: listing.limit]
    following = None
    if len(rows) > listing.limit:
        last = shown[-1]
        following = cursors.seal(listing.name, [last[place] for place in range(1, len(listing.keys) + 1)])
    page: dict[str, Any] = {"next": following, "limit": listing.limit}
    if total is not None:
        page["total"] = total
    data = ",".join([row[0] for row in shown])
    return PageJson(b'{"data":[%s],"page":%s}' % (data.encode(), msgspec.json.encode(page)), len(shown))


def _statement(cursors: Cursors, listing: Listing) -> list[Any]:
    bound = Bound(list(listing.bound.values))
    where = list(listing.where)
    if listing.cursor is not None:
        values = cursors.open(listing.name, listing.cursor)
        condition, given = after_sql(listing.keys, values, len(bound.values) + 1)
        where.append(condition)
        bound.values += given
    columns = ", ".join([listing.body, *(str(key.column) for key in listing.keys)])
    # The number itself: with a placeholder the planner guesses a tenth of the table and plans each call anew.
    text = (
        f"SELECT {columns} FROM {listing.source} WHERE {' AND '.join(where)}"  # noqa: S608 - values are bound, the rest is code
        f" ORDER BY {order_by_sql(listing.keys)} LIMIT {int(listing.limit) + 1}"
    )
    return [text, *bound.values]


async def _total(conn: Raw, listing: Listing) -> int:
    # The body stands in it for the types of its placeholders; the planner leaves it out.
    rows = f"SELECT {listing.body} FROM {listing.source} WHERE {' AND '.join(listing.where)}"  # noqa: S608 - as above
    text = f"SELECT count(*) FROM ({rows}) x"  # noqa: S608 - as above
    return int(await conn.fetchval(text, *listing.bound.values))
