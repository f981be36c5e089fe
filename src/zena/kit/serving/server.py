"""The HTTP server of a web process: uvicorn on an inherited socket, every limit set."""

import gc
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import uvicorn

from zena.kit.exits import Exit
from zena.kit.serving.protocol import LimitedProtocol

#: Seconds for running requests to end after SIGTERM; the supervisor waits a little longer.
GRACE = 20
OnStop: TypeAlias = Callable[[], Awaitable[None]]
_SPARE_FILES = 256
_MOST_CONNECTIONS = 12_000


class _Server(uvicorn.Server):
    """Tells when it takes requests, and ends with status 0 after draining: uvicorn would die of the signal."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: OnStop | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # What was loaded stays: to look through it for garbage again and again would hold requests up.
            gc.collect()
            gc.freeze()
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            if self._on_stop is not None:
                await self._on_stop()
        finally:
            await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(app: Any, listener: socket.socket, *, on_ready: Callable[[], None], on_stop: OnStop | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests end. Returns when all is closed.

    `on_stop` is awaited first: what would never end by itself, such as a stream, has to be ended by whoever began it.
    """
    server = _Server(server_config(app, connections=_raise_file_limit()), on_ready, on_stop)
    try:
        server.run(sockets=[listener])
    except SystemExit:
        # The application refused to start; what it said is in the log.
        sys.exit(Exit.INTERNAL)


def server_config(app: Any, *, connections: int) -> uvicorn.Config:
    """Return the server's settings. What stands before us (proxy headers, names) is the guard's business, not its."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=LimitedProtocol,
        ws="websockets-sansio",
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        lifespan="on",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=connections,
        backlog=2048,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE,
    )


def _raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return how many connections that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE_FILES
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(16, min(_MOST_CONNECTIONS, (wanted if soft == resource.RLIM_INFINITY else soft) - _SPARE_FILES))
