"""A post office for an installation under test: it takes every letter and remembers for whom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Post:
    """Knows as much of SMTP as a letter needs."""

    port: int = 0
    receivers: set[str] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 post\r\n")
            while line := (await reader.readline()).decode():
                verb = line[:4].upper()
                if verb == "RCPT":
                    self.receivers.add(line.partition("<")[2].partition(">")[0])
                writer.write(b"354 go\r\n" if verb == "DATA" else b"250 ok\r\n")
                if verb == "DATA":
                    await reader.readuntil(b"\r\n.\r\n")
                    writer.write(b"250 taken\r\n")
                if verb == "QUIT":
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever brought the letter was killed
        finally:
            writer.close()


@asynccontextmanager
async def post() -> AsyncIterator[Post]:
    """Open the office on a port of this machine."""
    made = Post()
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
