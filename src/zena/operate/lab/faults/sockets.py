"""What stands between people and their live connections, and seats that are all taken."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from zena.kit.beside import beside
from zena.kit.ids import new_id
from zena.operate.lab.contract import EVERYDAY, SOCKET, Asked, Fault
from zena.operate.lab.place import Place

_TRAFFIC: Final[tuple[Asked, ...]] = (*EVERYDAY, SOCKET)
_PIECE: Final = 65_536
_UPGRADE: Final = re.compile(rb"\r\n(?:Upgrade|Connection):[^\r]*", re.IGNORECASE)
#: Seats count while their process is heard of.
_PROCESS: Final = """
INSERT INTO ops.live_process (process, seen_at) VALUES ($1, clock_timestamp())
ON CONFLICT (process) DO UPDATE SET seen_at = excluded.seen_at
"""
_SEATS: Final = """
INSERT INTO ops.live_seat (id, process, tenant, person)
SELECT gen_random_uuid(), $1, t.id, NULL FROM tenant t CROSS JOIN generate_series(1, $2)
"""
_RISE: Final = "DELETE FROM ops.live_process WHERE process = $1"


def _proxied(change: Callable[[bytes], bytes]) -> Callable[[Place], AbstractAsyncContextManager[None]]:
    """Put a proxy at an address of its own between people and the installation; it changes the head of a request."""

    @asynccontextmanager
    async def broken(place: Place) -> AsyncIterator[None]:
        straight = place.door.url, place.door.page
        port = urlsplit(place.door.url).port or 80

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                head = change(await reader.readuntil(b"\r\n\r\n"))
                there, back = await asyncio.open_connection("127.0.0.1", port)
                back.write(head)
                await asyncio.wait(
                    [asyncio.create_task(_pour(reader, back)), asyncio.create_task(_pour(there, writer))]
                )
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            place.door.url = place.door.page = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                yield
            finally:
                place.door.url, place.door.page = straight

    return broken


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def _full(place: Place) -> AsyncIterator[None]:
    """Every firm has all of its connections, at a process of somebody else's."""
    process, every = new_id(), int(place.variables.get("ZENA_WEBSOCKET_CONNECTIONS", "50"))
    async with place.session(place.urls.superuser) as conn:
        await conn.execute(_PROCESS, process)
        await conn.execute(_SEATS, process, every)

        async def stay() -> None:
            while True:
                await conn.execute(_PROCESS, process)
                await asyncio.sleep(1)

        try:
            async with beside(stay()):
                yield
        finally:
            await place.value(_RISE, process)


FAULTS: Final = (
    Fault("socket-address", "browsers come by an address that the settings do not name", "W1", "origin", _TRAFFIC,
          broken=_proxied(lambda head: head)),
    Fault("socket-proxy", "a proxy takes out what makes a request a socket", "W1", "proxy_strips_upgrade", _TRAFFIC,
          broken=_proxied(lambda head: _UPGRADE.sub(b"", head))),
    Fault("sockets-full", "every connection of every firm is taken", "W1", "limit_reached", _TRAFFIC, broken=_full),
)  # fmt: skip
