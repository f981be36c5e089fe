"""What one request costs: its statements, how often each was sent and from where, its cache lookups, its waits."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

import greenlet  # type: ignore[import-untyped]  # brings no types

_PACKAGE: Final = str(Path(__file__).parents[1]) + "/"
_KIT: Final = str(Path(__file__).parent) + "/"
#: A statement sent so often by one request was meant to be one query (N+1): its caller is looked up.
REPEATED: Final = 10
#: A statement slower than this has its caller looked up, seconds.
SLOW: Final = 0.1
#: Different statements of one request that are told apart; the rest are counted only.
_STATEMENTS: Final = 100


@dataclass(slots=True)
class Sent:
    """How often a statement was sent, for how long in all, and from where (`file:line function`) once that matters."""

    times: int = 0
    seconds: float = 0.0
    caller: str | None = None


@dataclass(slots=True)
class Tally:
    """Made with each visit; the telemetry hooks add to it. Seconds throughout.

    Most requests send a handful of quick statements and are never looked at again: of these a list is kept, no more.
    """

    waited: float = 0.0
    slow: bool = False  # one statement was slow
    lookups: list[tuple[str, str | None]] = field(default_factory=list)
    _first: list[tuple[str, float]] = field(default_factory=list)
    _queries: int = 0
    _database: float = 0.0
    _statements: dict[str, Sent] = field(default_factory=dict)

    @property
    def queries(self) -> int:
        return self._queries + len(self._first)

    @property
    def database(self) -> float:
        return self._database + sum(seconds for _, seconds in self._first)

    @property
    def statements(self) -> dict[str, Sent]:
        """The statements by their text; those past the hundredth different one are counted only."""
        self._sort_out()
        return self._statements

    def query(self, statement: str, seconds: float) -> None:
        if seconds <= SLOW and not self._queries and len(self._first) < REPEATED - 1:
            self._first.append((statement, seconds))
            return
        self.slow = self.slow or seconds > SLOW
        self._sort_out()
        self._add(statement, seconds)

    def _sort_out(self) -> None:
        first, self._first = self._first, []
        for statement, seconds in first:
            self._add(statement, seconds)

    def _add(self, statement: str, seconds: float) -> None:
        self._queries += 1
        self._database += seconds
        sent = self._statements.get(statement)
        if sent is None:
            if len(self._statements) >= _STATEMENTS:
                return
            sent = self._statements[statement] = Sent()
        sent.times += 1
        sent.seconds += seconds
        if sent.caller is None and (sent.times == REPEATED or seconds > SLOW):
            sent.caller = caller()


def caller() -> str | None:
    """Return the innermost place outside of kit that is running, as `work/queries/tasks.py:41 task_page`.

    The module that asks does not count: it measures, it sends nothing.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack; inspect is a hundred times slower
    asking = frame.f_code.co_filename if frame else ""
    while frame is not None and frame.f_code.co_filename == asking:
        frame = frame.f_back
    found = _ours(frame)
    if found is None:
        # SQLAlchemy runs its own code in a greenlet; whoever awaits it stands on the parent's stack.
        parent = greenlet.getcurrent().parent
        found = _ours(parent.gr_frame) if parent is not None else None
    return found


def _ours(frame: FrameType | Any) -> str | None:
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PACKAGE) and not name.startswith(_KIT):
            return f"{name.removeprefix(_PACKAGE)}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back
    return None
