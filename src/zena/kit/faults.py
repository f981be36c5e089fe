"""What the database and the network may do to us, as refusals people can act on. Names, values and SQL never leave.

Transient faults have names of their own and are counted: a symptom before it is a complaint.
"""

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from zena.kit.db import PoolExhaustedError
from zena.kit.errors import Conflict, Invalid, Maintenance, Problem, StorageFull, Unavailable
from zena.kit.i18n import N_

FAULTS: Counter[str] = Counter()
"""How often each fault was seen since the process began."""


def _later(seconds: int, detail: str, code: str | None = None) -> Callable[[], Problem]:
    return lambda: Unavailable(detail, code=code, headers={"Retry-After": str(seconds)})


_BUSY: Final = _later(1, "Somebody else changed the same thing at this moment. Try again.")
_SLOW: Final = _later(5, "This took too long and was given up. Try again, or ask for less.")
_AWAY: Final = _later(5, "The database cannot be reached just now. Try again shortly.")
_CROWDED: Final = _later(2, "All database connections are in use. Try again shortly.")
_UNSTORABLE: Final = "A value cannot be stored. Check dates, numbers and special characters."

_NO_CHANGES: Final = N_("Changes are switched off for the moment; reading works.")

_BY_STATE: Final[dict[str, tuple[str, Callable[[], Problem]]]] = {
    "40001": ("serialization_failure", _BUSY),
    "40P01": ("deadlock", _BUSY),
    "55P03": ("lock_timeout", _BUSY),
    "57014": ("statement_timeout", _SLOW),
    "25P03": ("idle_in_transaction_timeout", _SLOW),
    "25P04": ("transaction_timeout", _SLOW),
    "57P01": ("backend_terminated", _AWAY),
    "57P02": ("database_crash", _AWAY),
    "57P03": ("database_starting", _AWAY),
    "57P05": ("idle_session_timeout", _AWAY),
    "53300": ("too_many_connections", _CROWDED),
    "53100": ("disk_full", StorageFull),
    "53200": ("out_of_memory", _AWAY),
    "25006": ("read_only", lambda: Maintenance(_NO_CHANGES)),
    "23505": ("unique_violation", lambda: Conflict("This exists already.")),
    "23503": ("foreign_key_violation", lambda: Conflict("Something this needs is gone, or something else needs this.")),
    "23P01": ("exclusion_violation", lambda: Conflict("This overlaps with something that exists.")),
    "22001": ("too_long", lambda: Invalid(detail=_UNSTORABLE)),
    "22003": ("out_of_range", lambda: Invalid(detail=_UNSTORABLE)),
    "22007": ("bad_date", lambda: Invalid(detail=_UNSTORABLE)),
    "22008": ("date_out_of_range", lambda: Invalid(detail=_UNSTORABLE)),
    "22021": ("bad_character", lambda: Invalid(detail=_UNSTORABLE)),
    "22P05": ("bad_character", lambda: Invalid(detail=_UNSTORABLE)),
}
_BY_ERRNO: Final[dict[int, tuple[str, Callable[[], Problem]]]] = {
    errno.EMFILE: ("too_many_files", _CROWDED),
    errno.ENFILE: ("too_many_files", _CROWDED),
    errno.ENOSPC: ("disk_full", StorageFull),
    errno.EDQUOT: ("disk_full", StorageFull),
    errno.EROFS: ("read_only_disk", StorageFull),
}
_BY_CLASS: Final = {"08": ("connection_lost", _AWAY), "58": ("database_io", _AWAY)}


def classify_fault(exc: BaseException) -> Problem | None:
    """Return the refusal for a fault of the database or the way to it, and count it; None for a fault of ours.

    Follows causes: a driver's error arrives wrapped by the layers above it.
    """
    for error in _chain(exc):
        known = _known(error)
        if known is not None:
            name, make = known
            FAULTS[name] += 1
            return make()
    return None


def _known(error: BaseException) -> tuple[str, Callable[[], Problem]] | None:
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
    if isinstance(error, PoolTimeoutError | PoolExhaustedError):
        return "pool_exhausted", _CROWDED
    if isinstance(error, asyncpg.InterfaceError):
        return ("connection_lost", _AWAY) if "clos" in str(error) or "connection" in str(error) else None
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "connection_lost", _AWAY
    if isinstance(error, TimeoutError):
        return "command_timeout", _SLOW
    return _known_of_system(error)


def _known_of_system(error: BaseException) -> tuple[str, Callable[[], Problem]] | None:
    if isinstance(error, ConnectionError | asyncio.IncompleteReadError | socket.gaierror):
        return "connection_refused", _AWAY
    if not isinstance(error, OSError):
        return None
    if isinstance(error, FileNotFoundError) and error.filename is None:  # a unix socket nobody listens on
        return "connection_refused", _AWAY
    return _BY_ERRNO.get(error.errno or 0)


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield an error, then what it wraps: single members of groups, driver originals, causes."""
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            current = current.exceptions[0] if len(current.exceptions) == 1 else None
        else:
            current = getattr(current, "orig", None) or current.__cause__
