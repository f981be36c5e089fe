"""Lists in pages that neither count nor skip: the next page starts after the last row of this one (keyset).

A cursor holds the sort values of that row, signed and bound to one listing; callers treat it as opaque.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, and_, false, or_, true

from zena.kit.errors import Invalid

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 100
_MAX_CURSOR: Final = 2_000
_MAC_BYTES: Final = 16
_LABEL: Final = b"zena cursor v1"

T = TypeVar("T")
Value = str | int | float | bool | datetime | date | UUID | None


class PageInfo(msgspec.Struct, frozen=True):
    """`next` is the cursor of the following page, None on the last."""

    next: str | None
    limit: int


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list as the API answers it."""

    data: list[T]
    page: PageInfo


@dataclass(frozen=True, slots=True)
class Key:
    """One column of a sort order: a Core expression, or the column's SQL. Nulls stand last in both directions.

    Keys come from code, never from a request. The last key of an order is unique and not nullable.
    """

    column: Any
    descending: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Cursors:
    """Seals cursors with the first key of the installation, and opens what any of them sealed."""

    keys: Callable[[], Sequence[bytes]]

    def seal(self, listing: str, values: Sequence[Value]) -> str:
        """Return a cursor for `listing`: a name holding what makes a list another one (tenant, order, filters)."""
        body = msgspec.json.encode([[_kind(value), value] for value in values])
        return base64.urlsafe_b64encode(_mac(self.keys()[0], listing, body) + body).decode().rstrip("=")

    def open(self, listing: str, token: str) -> tuple[Value, ...]:
        """Return the values of a cursor made for this very listing; raise Invalid for `cursor` otherwise."""
        try:
            if len(token) > _MAX_CURSOR:
                raise _bad_cursor()
            raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if not any(hmac.compare_digest(mac, _mac(key, listing, body)) for key in self.keys()):
                raise _bad_cursor()
            return tuple(_restore(kind, value) for kind, value in msgspec.json.decode(body))
        except (UnicodeEncodeError, binascii.Error):
            raise _bad_cursor() from None


def page_limit(limit: int | None) -> int:
    """Return how many rows a page has; raise Invalid for `limit` outside 1..100."""
    if limit is None:
        return DEFAULT_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid.field("limit", f"Between 1 and {MAX_LIMIT}.", "range")
    return limit


def page_of(rows: Sequence[T], limit: int, seal: Callable[[T], str]) -> Page[T]:
    """Make a page of at most `limit` rows; `rows` was fetched with `limit + 1`, the extra one says that more follow."""
    data = list(rows[:limit])
    following = seal(data[-1]) if len(rows) > limit else None
    return Page(data, PageInfo(following, limit))


def after(keys: Sequence[Key], values: Sequence[Value]) -> ColumnElement[bool]:
    """Return the Core condition for the rows that follow the one with these values."""
    _check_arity(keys, values)
    conditions: list[ColumnElement[bool]] = []
    for place, (key, value) in enumerate(zip(keys, values, strict=True)):
        same = [_same(k.column, v) for k, v in zip(keys[:place], values[:place], strict=True)]
        conditions.append(and_(*same, _beyond(key, value)))
    return or_(*conditions)


def order_by(keys: Sequence[Key]) -> list[Any]:
    """Return the Core ordering that `after` agrees with."""
    return [_ordered(key) for key in keys]


def after_sql(keys: Sequence[Key], values: Sequence[Value], first: int = 1) -> tuple[str, list[Value]]:
    """Return `after` as SQL with parameters numbered from `$first`, and what to bind.

    Where all columns run one way and none is nullable this is a row comparison, which an index answers at once.
    """
    _check_arity(keys, values)
    marks = [f"${first + place}" for place in range(len(keys))]
    if not any(key.nullable for key in keys) and len({key.descending for key in keys}) == 1:
        sign = "<" if keys[0].descending else ">"
        return f"({', '.join(str(k.column) for k in keys)}) {sign} ({', '.join(marks)})", list(values)
    parts, bound = [], []
    for place, (key, value) in enumerate(zip(keys, values, strict=True)):
        same = [_same_sql(k.column, v, m) for k, v, m in zip(keys[:place], values[:place], marks[:place], strict=True)]
        parts.append("(" + " AND ".join([*same, _beyond_sql(key, marks[place])]) + ")")
        bound.append(value)
    return "(" + " OR ".join(parts) + ")", bound


def order_by_sql(keys: Sequence[Key]) -> str:
    """Return the text after ORDER BY that `after_sql` agrees with."""
    return ", ".join(
        f"{key.column} {'DESC' if key.descending else 'ASC'}{' NULLS LAST' if key.nullable else ''}" for key in keys
    )


def _ordered(key: Key) -> Any:
    directed = key.column.desc() if key.descending else key.column.asc()
    return directed.nulls_last() if key.nullable else directed


def _same(column: Any, value: Value) -> ColumnElement[bool]:
    same: ColumnElement[bool] = column.is_(None) if value is None else column == value
    return same


def _beyond(key: Key, value: Value) -> ColumnElement[bool]:
    if value is None:
        return false() if key.nullable else true()
    further: ColumnElement[bool] = key.column < value if key.descending else key.column > value
    return or_(further, key.column.is_(None)) if key.nullable else further


def _same_sql(column: Any, value: Value, mark: str) -> str:
    return f"{column} IS NOT DISTINCT FROM {mark}" if value is None else f"{column} = {mark}"


def _beyond_sql(key: Key, mark: str) -> str:
    further = f"{key.column} {'<' if key.descending else '>'} {mark}"
    if not key.nullable:
        return further
    return f"({further} OR ({mark} IS NOT NULL AND {key.column} IS NULL))"


def _kind(value: Value) -> str:
    """Return the tag under which a value is restored; JSON alone would turn dates and ids into strings."""
    for tag, of in (
        ("n", type(None)),
        ("b", bool),
        ("i", int),
        ("f", float),
        ("t", datetime),
        ("d", date),
        ("u", UUID),
    ):
        if isinstance(value, of):
            return tag
    return "s"


def _restore(tag: str, value: Any) -> Value:
    wanted = {"t": datetime, "d": date, "u": UUID, "f": float}.get(tag)
    restored: Value = msgspec.convert(value, wanted) if wanted else value
    return restored


def _mac(key: bytes, listing: str, body: bytes) -> bytes:
    name = listing.encode()
    return hmac.digest(key, b"%s:%d:%s:%s" % (_LABEL, len(name), name, body), hashlib.sha256)[:_MAC_BYTES]


def _check_arity(keys: Sequence[Key], values: Sequence[Value]) -> None:
    if len(keys) != len(values):
        raise _bad_cursor()


def _bad_cursor() -> Invalid:
    return Invalid.field("cursor", "This cursor does not belong to this list. Start again without it.", "cursor")
