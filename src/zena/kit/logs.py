"""Log lines: one per fact, with who and which request, without secrets, never more than one line of text.

Everything logged in the process passes here, the libraries' own lines too. Lines are written by a thread of their own
from a bounded queue: a slow or dead sink costs lines (counted), never a request.
"""

import atexit
import contextlib
import json
import logging
import queue
import re
import sys
from collections.abc import Callable, MutableMapping
from logging.handlers import QueueHandler, QueueListener
from typing import Any, Final, TextIO

import structlog

from zena.kit.visit import current_visit

Line = MutableMapping[str, Any]
Logger = structlog.stdlib.BoundLogger

MASK: Final = "***"
_MAX_TEXT: Final = 8_000
_QUEUE_LINES: Final = 10_000
_QUIET: Final = ("uvicorn.access", "httpx", "httpcore", "asyncio", "multipart", "sqlalchemy.engine")
_FAREWELL_SECONDS: Final = 2.0
_SLOW: Final = 0.3
_REFUSED: Final = 400
_FAILED: Final = 500

_SECRET_NAME: Final = re.compile(
    r"(?i)(^|[_.-])(password|passwd|secret|token|authorization|cookie|cookies|ticket|otp|totp|api_?key|private_key|dsn)$"
)
_SECRET_TEXT: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',;]+"), rf"\1 {MASK}"),
    (re.compile(r"(://[^/@\s:]{0,200}:)[^@/\s]{1,500}@"), rf"\1{MASK}@"),
    (
        re.compile(
            r"(?i)\b((?:__host-)?zena(?:_plain)?|[a-z_]*(?:token|secret|password|ticket|signature))=[^&\s\"';]+"
        ),
        rf"\1={MASK}",
    ),
    # An opaque run of 40 and more with digits and both cases: a session, a token, a link. UUIDs and hashes are shorter
    # or of one case.
    (re.compile(r"(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[A-Za-z0-9_-]{40,}"), MASK),
)
# Line breaks, terminal escapes and bidi overrides: what could make one line look like two, or like another.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class _Dropping(QueueHandler):
    """Hands rendered lines to the writing thread, and counts those for which there is no room."""

    dropped = 0
    writer: "_Writer | None" = None

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _Writer(QueueListener):
    """The writing thread; ending it never waits long for a sink that stands still."""

    def __init__(self, lines: "queue.Queue[Any]", sink: logging.Handler) -> None:
        super().__init__(lines, sink)
        self._lines = lines

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Full):
                self._lines.put(None, timeout=_FAREWELL_SECONDS)
                thread.join(_FAREWELL_SECONDS)


def get_logger(name: str) -> Logger:
    return structlog.stdlib.get_logger(name)


def setup_logging(level: str = "info", *, as_json: bool = True, stream: TextIO | None = None) -> Callable[[], None]:
    """Configure logging for the process; return what flushes and stops it (also called at exit)."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _who,
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    render = _as_json if as_json else _as_text
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render]
    )
    return _install(level, formatter, stream or sys.stderr)


def dropped_lines() -> int:
    """Return how many lines were lost because the sink did not keep up."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, _Dropping))


def log_request(route: str, method: str, status: int, seconds: float) -> None:
    """Write the access line: a hook for Telemetry.on_request. Quick successes are debug lines."""
    level = logging.INFO if status >= _REFUSED or seconds > _SLOW else logging.DEBUG
    level = logging.ERROR if status >= _FAILED else level
    logger = logging.getLogger("zena.requests")
    if logger.isEnabledFor(level):
        get_logger("zena.requests").log(
            level, "request", method=method, route=route, status=status, ms=round(seconds * 1000, 3)
        )


def redact(_: Any, __: str, line: Line) -> Line:
    """Mask secrets by name and by shape, cut long texts, and write control characters as escapes."""
    for name, value in line.items():
        if not name.startswith("_"):  # structlog's own record and origin
            line[name] = MASK if _SECRET_NAME.search(name) and value is not None else _clean(value)
    return line


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict):
        return {str(k): MASK if _SECRET_NAME.search(str(k)) and v is not None else _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _clean_text(str(value))


def _clean_text(text: str) -> str:
    if len(text) > _MAX_TEXT:
        text = f"{text[:_MAX_TEXT]}... ({len(text)} characters)"
    for pattern, masked in _SECRET_TEXT:
        text = pattern.sub(masked, text)
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _who(_: Any, __: str, line: Line) -> Line:
    visit = current_visit()
    if visit is not None:
        line.setdefault("request_id", visit.request_id)
        if visit.tenant:
            line.setdefault("tenant", visit.tenant)
        if visit.user:
            line.setdefault("user", visit.user)
    return line


def _as_json(_: Any, __: str, line: Line) -> str:
    head = {name: line.pop(name) for name in ("at", "level", "logger", "event") if name in line}
    return json.dumps({**head, **line}, ensure_ascii=False, default=str)


def _as_text(_: Any, __: str, line: Line) -> str:
    """Write for people: time, level, message, facts; a stack is printed as such, below its line."""
    stack = line.pop("exception", None)
    at, level, name, event = (str(line.pop(key, "")) for key in ("at", "level", "logger", "event"))
    facts = " ".join(f"{key}={value}" for key, value in line.items())
    text = f"{at[11:19]} {level:<7} {event}  {facts} [{name}]"
    return text if stack is None else text + "\n    " + stack.replace("\\n", "\n    ")


def _install(level: str, formatter: logging.Formatter, stream: TextIO) -> Callable[[], None]:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Dropping)]:
        root.removeHandler(old)
        if old.writer is not None:
            old.writer.stop()
    lines: queue.Queue[Any] = queue.Queue(_QUEUE_LINES)
    handler = _Dropping(lines)
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    writer = _Writer(lines, logging.StreamHandler(stream))
    writer.start()
    handler.writer = writer

    def stop() -> None:
        root.removeHandler(handler)
        writer.stop()

    atexit.register(stop)
    return stop
