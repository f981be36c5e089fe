"""A post office for an installation under test: it takes letters and keeps them, or refuses them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP


@dataclass(slots=True)
class Post:
    """Knows as much of SMTP as a letter needs. `refuses` is the code it answers to every receiver, 0 for none."""

    port: int = 0
    refuses: int = 0
    receivers: list[str] = field(default_factory=list)
    letters: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 post\r\n")
            while line := (await reader.readline()).decode():
                verb = line[:4].upper()
                writer.write(self._answer(verb, line))
                if verb == "DATA":
                    self.letters.append(message_from_bytes(await reader.readuntil(b"\r\n.\r\n"), policy=SMTP))
                    writer.write(b"250 taken\r\n")
                if verb == "QUIT":
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever brought the letter was killed
        finally:
            writer.close()

    def _answer(self, verb: str, line: str) -> bytes:
        if verb == "RCPT" and self.refuses:
            return f"{self.refuses} not here\r\n".encode()
        if verb == "RCPT":
            self.receivers.append(line.partition("<")[2].partition(">")[0])
        return b"354 go\r\n" if verb == "DATA" else b"250 ok\r\n"


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


@contextmanager
def post_beside() -> Iterator[Post]:
    """Open the office in a thread of its own, for tests that have no loop."""
    found: list[Post] = []
    there, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with post() as made:
            found.append(made)
            there.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    there.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(timeout=5)
