"""Logging of the process: which lines are made, and to which sinks they go."""

import atexit
import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import structlog

from zena.kit.logs.channels import APP, CANARY, CHANNELS, LOGGERS, channel_of, parsed
from zena.kit.logs.lines import as_json as json_line
from zena.kit.logs.lines import processors
from zena.kit.logs.sinks import Console, Files, Sink, Written

if TYPE_CHECKING:
    from zena.settings import Settings

_QUIET: Final = ("uvicorn.access", "httpx", "httpcore", "asyncio", "multipart", "sqlalchemy.engine")
#: A loss is told for so long, seconds.
_RECENT: Final = 600.0


@dataclass(frozen=True, slots=True)
class LogState:
    """How this process's lines fare. `trouble`: why the files take none; `dropped`: lines that are nowhere."""

    folder: Path | None
    trouble: str | None
    held: int
    dropped: int
    recently: bool  # something was dropped within the last ten minutes


class _Handler(logging.Handler):
    """Makes each line in the thread that logs, where the request is known, and hands it to the sinks."""

    def __init__(self, sinks: list[Sink], least: Mapping[str, int]) -> None:
        super().__init__()
        self.sinks, self.least = sinks, least

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a fact that cannot be written must not fail who states it
            self.handleError(record)
            return
        channel = channel_of(record.name)
        if record.levelno >= self.least.get(channel, logging.CRITICAL + 1):
            line = Written(channel, text)
            for sink in self.sinks:
                if record.levelno >= sink.least and (sink.readable or record.name != CANARY):
                    sink.put(line)


def setup_logging(
    level: str = "info",
    *,
    as_json: bool = True,
    stream: TextIO | None = None,
    channels: Mapping[str, str] | None = None,
    sinks: list[Sink] | None = None,
) -> Callable[[], None]:
    """Configure logging for the process; return what flushes and stops it (also called at exit).

    `channels` are those written with their least severity, by default all at `level`; errors count in any case.
    `sinks` are where they go, by default a console on `stream`.
    """
    shared = processors()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, json_line]
    )
    wanted = dict.fromkeys(CHANNELS, level) if channels is None else channels
    made = [Console(stream or sys.stderr, as_json=as_json)] if sinks is None else sinks
    handler = _Handler(list(made), {name: _number(word) for name, word in wanted.items()})
    handler.setFormatter(formatter)
    return _install(handler)


def log_as_set(settings: "Settings", *, console: str = "debug") -> Callable[[], None]:
    """Configure logging as the settings say; the console has lines of severity `console` and above only."""
    channels = parsed(settings.log_channels, settings.log_level)
    sinks: list[Sink] = []
    if settings.log_output != "files":
        text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
        sinks.append(Console(sys.stderr, as_json=not text, least=_number(console)))
    if settings.log_output != "console":
        limits = {"max_bytes": settings.log_max_bytes, "keep": settings.log_keep}
        sinks.append(Files(settings.logs_path, channels, **limits, alone=not sinks))
    return setup_logging(settings.log_level, channels=channels, sinks=sinks)


def log_state() -> LogState:
    sinks = [sink for handler in _handlers() for sink in handler.sinks]
    files = next((sink for sink in sinks if isinstance(sink, Files)), None)
    lost = [sink.dropped_at for sink in sinks if sink.dropped_at is not None]
    return LogState(
        folder=files.folder if files else None,
        trouble=files.trouble if files else None,
        held=files.held if files else 0,
        dropped=sum(sink.dropped for sink in sinks),
        recently=any(time.monotonic() - at < _RECENT for at in lost),
    )


def log_silence() -> str | None:
    """Return why errors of this process would be written nowhere though the files take lines; None where they are."""
    handlers, root = _handlers(), logging.getLogger()
    if not handlers:
        return "no handler takes what is logged"
    if handlers[0].least.get(APP, logging.CRITICAL) > logging.ERROR:
        return f"errors are below what channel {APP} writes"
    if root.disabled or max(root.level - 1, root.manager.disable) >= logging.ERROR:
        return "logging was switched off in the process"
    return next((sink.silence for sink in handlers[0].sinks if sink.silence), None)


def _install(handler: _Handler) -> Callable[[], None]:
    root = logging.getLogger()
    for old in _handlers():
        _remove(old)
    root.addHandler(handler)
    _set_levels(handler.least)
    for sink in handler.sinks:
        sink.start()

    def stop() -> None:
        _remove(handler)

    atexit.register(stop)
    return stop


def _remove(handler: _Handler) -> None:
    logging.getLogger().removeHandler(handler)
    for sink in handler.sinks:
        sink.stop()


def _set_levels(least: Mapping[str, int]) -> None:
    """Let loggers make no line that nobody writes; errors are always made, because they are counted."""
    for channel, names in {APP: ("",), **LOGGERS}.items():
        for name in names:
            logging.getLogger(name).setLevel(min(least.get(channel, logging.ERROR), logging.ERROR))
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def _handlers() -> list[_Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]
