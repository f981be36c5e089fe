"""A way to a server that can be made slow, or cut: between whoever dials and a Unix socket."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_CHUNK: Final = 65_536


@dataclass(slots=True)
class Link:
    """Passes bytes on. `latency` delays each piece, seconds each way; `timeout` passes nothing on and says nothing.

    `down` ends what is open and refuses what is new.
    """

    target: Path
    latency: float = 0.0
    timeout: bool = False
    down: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Take connections at a Unix socket during the block; everything is cut at its end."""
        server = await asyncio.start_unix_server(self._taken, path)
        os.chmod(path, 0o777)  # noqa: PTH101, S103 - as the server's own socket
        try:
            yield
        finally:
            server.close()
            self.cut()
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - a moment

    def cut(self) -> None:
        """End every connection at once."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_unix_connection(self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        try:
            await asyncio.gather(self._passed(reader, back), self._passed(there, writer))
        finally:
            self._open -= {writer, back}

    async def _passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, later: pieces that follow each other closely are late together, not one after another."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def take() -> None:
            piece = b"?"
            while piece:
                try:
                    piece = await reader.read(_CHUNK)
                except OSError:  # reset: it says so each time it is asked
                    piece = b""
                waiting.put_nowait((loop.time() + self.latency, piece))

        taker = asyncio.create_task(take())
        try:
            await self._given(waiting, writer)
        finally:
            taker.cancel()
            writer.close()

    async def _given(self, waiting: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            at, piece = await waiting.get()
            await asyncio.sleep(max(0.0, at - loop.time()))
            if not piece:
                return
            if not self.timeout:
                writer.write(piece)
                with suppress(OSError):
                    await writer.drain()
