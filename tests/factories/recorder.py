"""Every statement a piece of code sends to PostgreSQL, whichever way it takes: the engine, the pool, a raw connection.

    with recording() as sent:
        await client.get("/projects")
    assert len(sent.asked) <= 9, sent.listing()

Only what runs in the block's own task is seen (and tasks started there), so that tails and sweepers stay out.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from asyncpg.connection import Connection
from asyncpg.prepared_stmt import PreparedStatement

_CONTROL = re.compile(
    r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|START TRANSACTION|DISCARD|SELECT pg_advisory_unlock_all|;)",
    re.IGNORECASE,
)
_WRITE = re.compile(r"\s*(WITH\b.*?\b)?(INSERT|UPDATE|DELETE|SELECT\s+seal\()", re.IGNORECASE | re.DOTALL)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as it left for the server, with what was bound to it (None where it was sent for many rows)."""

    text: str
    values: tuple[Any, ...] | None

    @property
    def short(self) -> str:
        return _SPACES.sub(" ", self.text).strip()[:240]


@dataclass(slots=True)
class Recording:
    """What was sent, in order."""

    statements: list[Statement] = field(default_factory=list)

    @property
    def asked(self) -> list[Statement]:
        """All but the beginnings and ends of transactions."""
        return [one for one in self.statements if not _CONTROL.match(one.text)]

    @property
    def writes(self) -> list[Statement]:
        """Statements that change rows, the seal of a commit among them."""
        return [one for one in self.statements if _WRITE.match(one.text)]

    def listing(self) -> str:
        """Return the statements for people, repeated ones first: what a failing budget prints."""
        counted = Counter(one.short for one in self.asked)
        lines = [f"{times:4} x {text}" for text, times in counted.most_common()]
        return f"{len(self.asked)} statements\n" + "\n".join(lines)


_recording: ContextVar[Recording | None] = ContextVar("recording", default=None)
_rewriting: ContextVar[Callable[[str], str] | None] = ContextVar("rewriting", default=None)


@contextmanager
def recording() -> Iterator[Recording]:
    """Keep every statement that is sent in this block. Needs `tapped()` around the test run."""
    kept = Recording()
    token = _recording.set(kept)
    try:
        yield kept
    finally:
        _recording.reset(token)


@contextmanager
def rewriting(rewrite: Callable[[str], str]) -> Iterator[None]:
    """Send another text in place of each statement of this block. Use an engine of its own: plans are kept by text."""
    token = _rewriting.set(rewrite)
    try:
        yield
    finally:
        _rewriting.reset(token)


@contextmanager
def tapped() -> Iterator[None]:
    """Put the recorder between us and the driver, for the time of the block."""
    with ExitStack() as stack:
        for owner, name, tap in _TAPS:
            before = getattr(owner, name)
            stack.callback(setattr, owner, name, before)
            setattr(owner, name, tap(before))
        yield


def _note(text: str, values: tuple[Any, ...] | None) -> None:
    kept = _recording.get()
    if kept is not None:
        kept.statements.append(Statement(text, values))


def _sent(text: str) -> str:
    rewrite = _rewriting.get()
    return rewrite(text) if rewrite else text


def _plain(before: Any) -> Any:
    async def execute(self: Any, query: str, *args: Any, **options: Any) -> Any:
        if args:  # goes on to `_execute`, which notes it
            return await before(self, query, *args, **options)
        _note(query, ())
        return await before(self, _sent(query), **options)

    return execute


def _bound(before: Any) -> Any:
    async def _execute(self: Any, query: str, args: Any, *rest: Any, **options: Any) -> Any:
        _note(query, tuple(args))
        return await before(self, _sent(query), args, *rest, **options)

    return _execute


def _many(before: Any) -> Any:
    async def _executemany(self: Any, query: str, *rest: Any, **options: Any) -> Any:
        _note(query, None)
        return await before(self, _sent(query), *rest, **options)

    return _executemany


def _prepared(before: Any) -> Any:
    async def prepare(self: Any, query: str, **options: Any) -> Any:
        return await before(self, _sent(query), **options)

    return prepare


def _fetched(before: Any) -> Any:
    async def fetch(self: Any, *args: Any, **options: Any) -> Any:
        _note(self._query, args)
        return await before(self, *args, **options)

    return fetch


def _fetched_many(before: Any) -> Any:
    async def executemany(self: Any, *args: Any, **options: Any) -> Any:
        _note(self._query, None)
        return await before(self, *args, **options)

    return executemany


def _opened(before: Any) -> Any:
    def cursor(self: Any, *args: Any, **options: Any) -> Any:
        _note(self._query, args)
        return before(self, *args, **options)

    return cursor


_TAPS: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (Connection, "execute", _plain),
    (Connection, "_execute", _bound),
    (Connection, "_executemany", _many),
    (Connection, "prepare", _prepared),
    (PreparedStatement, "fetch", _fetched),
    (PreparedStatement, "executemany", _fetched_many),
    (PreparedStatement, "cursor", _opened),
)
