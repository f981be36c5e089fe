"""Errors of this process by what they have in common, counted until somebody takes them away (telemetry does)."""

import hashlib
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from zena.kit.logs.redaction import clean_text

#: Kinds of error told apart between two flushes; what comes after counts as one more kind, `other`.
MOST: Final = 200
#: Firms remembered of one kind.
FIRMS: Final = 50
_MESSAGE: Final = 300
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_OWN: Final = "zena."
#: Through these goes every statement: that a failed one came by says nothing of where it was sent.
_PASSED: Final = frozenset({"zena.kit.measured", "zena.kit.db"})
_HEX: Final = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
# What stands in quotes or as a value of a key may be something that somebody wrote.
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|=\s?\([^)]*\)")


@dataclass(slots=True)
class Kind:
    """Errors with one fingerprint. `what` is the exception's class or the event, `place` our own deepest frame."""

    code: str
    fingerprint: str
    what: str
    place: str
    channel: str
    message: str = ""
    first: datetime = _LATEST
    last: datetime = _EARLIEST
    request_id: str | None = None
    tenants: set[str] = field(default_factory=set)
    hours: dict[datetime, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(self.hours.values())

    def add(self, at: datetime, tenant: str | None, request_id: str | None) -> None:
        self.first, self.last = min(self.first, at), max(self.last, at)
        self.request_id = request_id or self.request_id
        if tenant and len(self.tenants) < FIRMS:
            self.tenants.add(tenant)
        hour = at.replace(minute=0, second=0, microsecond=0)
        self.hours[hour] = self.hours.get(hour, 0) + 1

    def join(self, later: Self) -> None:
        """Take over what was counted of the same kind meanwhile."""
        self.first, self.last = min(self.first, later.first), max(self.last, later.last)
        self.request_id = later.request_id or self.request_id
        self.tenants = set(sorted(self.tenants | later.tenants)[:FIRMS])
        for hour, number in later.hours.items():
            self.hours[hour] = self.hours.get(hour, 0) + number


class Errors:
    """Counted in whichever thread logs, so under a lock; errors are few."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}
        self._lock = threading.Lock()

    def count(self, kind: Kind, at: datetime, tenant: str | None, request_id: str | None) -> None:
        with self._lock:
            if kind.fingerprint not in self._kinds and len(self._kinds) >= MOST:
                kind = kind_of("OTHER", "other kinds of error", "", kind.channel)
            self._kinds.setdefault(kind.fingerprint, kind).add(at, tenant, request_id)

    def take(self) -> list[Kind]:
        """Return what was counted, by fingerprint, and begin anew."""
        with self._lock:
            taken, self._kinds = self._kinds, {}
        return sorted(taken.values(), key=lambda kind: kind.fingerprint)

    def give_back(self, kinds: list[Kind], *, after: datetime) -> None:
        """Take back what could not be stored; hours before `after` are let go."""
        with self._lock:
            for kind in kinds:
                kind.hours = {hour: number for hour, number in kind.hours.items() if hour >= after}
                newer = self._kinds.get(kind.fingerprint)
                if newer is not None:
                    kind.join(newer)
                self._kinds[kind.fingerprint] = kind


ERRORS: Final = Errors()


def kind_of(code: str, what: str, place: str, channel: str) -> Kind:
    """Return an empty kind; its fingerprint is 12 hex digits over code, what and place."""
    digest = hashlib.sha256(f"{code}\n{what}\n{place}".encode()).hexdigest()
    return Kind(code, digest[:12], what, place, channel)


def kind_of_exception(code: str, error: BaseException, channel: str) -> Kind:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    said = _of_driver(error)
    kind = kind_of(code, f"{type(said).__module__}.{type(said).__qualname__}".removeprefix("builtins."),
                   place_of(error.__traceback__), channel)  # fmt: skip
    kind.message = without_content(str(said))
    return kind


def _of_driver(error: BaseException) -> BaseException:
    """Return what the database's driver raised, where SQLAlchemy has wrapped it twice: that names the trouble."""
    wrapped = getattr(error, "orig", None)
    if not isinstance(wrapped, BaseException):
        return error
    return wrapped.__cause__ or wrapped


def kind_of_event(code: str, event: str, place: str, channel: str) -> Kind:
    """Numbers and addresses in an event make no kind of their own."""
    return kind_of(code, _HEX.sub("#", event.partition("\n")[0][:200]), place, channel)


def place_of(stack: TracebackType | None) -> str:
    """Return module and function of our own deepest frame, of the deepest at all where none is ours."""
    own = last = ""
    while stack is not None:
        frame = stack.tb_frame
        module = str(frame.f_globals.get("__name__", ""))
        last = f"{module}:{frame.f_code.co_qualname}"
        if module.startswith(_OWN) and module not in _PASSED:
            own = last
        stack = stack.tb_next
    return own or last


def without_content(text: str) -> str:
    """Return a message without secrets and without what somebody may have written: values in quotes are left out."""
    return clean_text(_QUOTED.sub("'..'", text[: 4 * _MESSAGE]))[:_MESSAGE]
