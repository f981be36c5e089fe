"""The lines of channel performance: requests that failed, were refused or slow, and slow statements."""

import logging
from typing import Final

from zena.kit.logs.logger import get_logger
from zena.kit.visit import current_visit

_SLOW: Final = 0.3
_SLOW_STATEMENT: Final = 0.1
_REFUSED: Final = 400
_FAILED: Final = 500
_TEXT: Final = 1_000

requests = get_logger("zena.requests")
statements = get_logger("zena.statements")
_gate = logging.getLogger("zena.requests")  # asked for every request there is


def log_request(route: str, method: str, status: int, seconds: float) -> None:
    """Write the access line: a hook for Telemetry.on_request. Quick successes are debug lines."""
    level = logging.INFO if status >= _REFUSED or seconds > _SLOW else logging.DEBUG
    level = logging.ERROR if status >= _FAILED else level
    if _gate.isEnabledFor(level):
        visit = current_visit()
        facts = {"code": visit.code} if visit is not None and visit.code else {}
        requests.log(level, "request", method=method, route=route, status=status, ms=round(seconds * 1000, 3), **facts)


def log_statement(statement: str, seconds: float) -> None:
    """Write a statement that took longer than 100 ms, without its values: a hook for Telemetry.on_query."""
    if seconds > _SLOW_STATEMENT:
        text = " ".join(statement[: 2 * _TEXT].split())[:_TEXT]
        statements.warning("slow statement", ms=round(seconds * 1000, 3), statement=text)
