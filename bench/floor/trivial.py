"""Answers a fixed body at once: what the load client itself can take.

Run as `python -m bench.floor.trivial BYTES --fd N --ready-fd N`.
"""

import asyncio
import sys
from typing import cast

import uvloop

from zena.kit.serving.lifeline import tell_ready
from zena.kit.serving.listen import adopt


class Trivial(asyncio.Protocol):
    """One read is one request: the load client sends each whole and waits for its answer."""

    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - the answer is always the same
        self.transport.write(self.answer)


async def serve(size: int, listener: int, ready: int) -> None:
    Trivial.answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size
    server = await asyncio.get_running_loop().create_server(Trivial, sock=adopt(listener))
    tell_ready(ready)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[3]), int(sys.argv[5])))
