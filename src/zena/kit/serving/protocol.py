"""HTTP on the wire with limits the server library leaves open: size of the head, and time to send head and body."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of the address, and of all header lines together.
URL_LIMIT = 8 * 1024
HEAD_LIMIT = 16 * 1024
#: Bytes of a head that has not ended yet: the parser keeps an endless line to itself.
RAW_LIMIT = URL_LIMIT + 2 * HEAD_LIMIT
#: Seconds for a whole head, and longest silence inside a body.
HEAD_TIMEOUT = 10.0
BODY_TIMEOUT = 30.0

#: Seconds that a connection without a request stays open when the process drains: what is on its way is answered.
LINGER = 1.0

_TOO_LONG = {414: b"HTTP/1.1 414 URI Too Long\r\n", 431: b"HTTP/1.1 431 Request Header Fields Too Large\r\n"}


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections that dawdle or send a head beyond the limits, before the application hears of them."""

    _clock: asyncio.TimerHandle | None = None
    _in_head = True
    _ended = False
    _raw = 0
    _fields = 0
    _refused = False
    _draining = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect(HEAD_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._ended = False
        super().data_received(data)
        # What arrived with the end of a body is no head, however much it is.
        self._raw = self._raw + len(data) if self._in_head and not self._ended else 0
        if self._raw > RAW_LIMIT:
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._fields = 0
        self._expect(HEAD_TIMEOUT)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_LIMIT:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._fields += len(name) + len(value)
        if self._fields > HEAD_LIMIT:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        if not self._refused:
            self._in_head, self._raw = False, 0
            self._expect(BODY_TIMEOUT)
            super().on_headers_complete()
            if self._draining and self.cycle is not None:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            self._expect(BODY_TIMEOUT)
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            self._in_head = self._ended = True
            self._expect(None)
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._expect(None)
        super().handle_websocket_upgrade()

    def shutdown(self) -> None:
        """Answer what is under way or about to arrive, each with `connection: close`, and end."""
        self._draining = True
        busy = bool(self.cycle) and not self.cycle.response_complete
        if busy:
            super().shutdown()
        else:
            self.loop.call_later(LINGER, super().shutdown)

    def _expect(self, seconds: float | None) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = None if seconds is None else self.loop.call_later(seconds, self._abandon)

    def _abandon(self) -> None:
        if self.flow.read_paused:
            # We stopped reading ourselves, because the application is slow to take the body.
            self._expect(BODY_TIMEOUT)
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, status: int) -> None:
        if not self._refused:
            self._refused = True
            self._expect(None)
            self.transport.write(_TOO_LONG[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
