"""The way that is made slow, or cut: what passes, when, and what is told of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.kit.pg import open_folder
from zena.operate.lab.link import Link


@asynccontextmanager
async def echoing(latency: float = 0.0) -> AsyncIterator[tuple[Link, Path]]:
    """A server that says everything again, and a way to it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(100):
            writer.write(said)
        writer.close()

    with open_folder("zk-") as folder:
        server = await asyncio.start_unix_server(answer, folder / "server")
        link = Link(folder / "server", latency=latency)
        async with link.listening(folder / "way"):
            yield link, folder / "way"
        assert not (folder / "way").exists()
        server.close()


async def test_everything_passes_in_order_and_late() -> None:
    async with echoing(latency=0.05) as (_, way):
        reader, writer = await asyncio.open_unix_connection(way)
        began = time.monotonic()
        for number in range(5):  # late together, not one after another
            writer.write(b"%d" % number)
            await asyncio.sleep(0.005)
        assert await reader.readexactly(5) == b"01234"
        assert 0.1 <= time.monotonic() - began < 0.3
        writer.close()
        assert await reader.read() == b"", "the end passes too"


async def test_what_is_cut_ends_at_once_and_refuses_what_is_new() -> None:
    async with echoing() as (link, way):
        reader, writer = await asyncio.open_unix_connection(way)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        link.down = True
        link.cut()
        for _ in range(2):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(1)
            reader, _ = await asyncio.open_unix_connection(way)


async def test_a_server_that_hangs_up_ends_the_way_to_it() -> None:
    """Closed with something unread, a socket is reset: nothing may be passed on again and again."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # what comes now stays unread
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()

    with open_folder("zk-") as folder:
        server = await asyncio.start_unix_server(hang_up, folder / "server")
        link = Link(folder / "server")
        async with link.listening(folder / "way"):
            reader, writer = await asyncio.open_unix_connection(folder / "way")
            assert await reader.readexactly(1) == b"x"
            writer.write(b"never read")
            async with asyncio.timeout(5):
                assert await reader.read() == b""
        server.close()


async def test_nothing_is_said_where_nothing_passes() -> None:
    async with echoing() as (link, way):
        link.timeout = True
        reader, writer = await asyncio.open_unix_connection(way)
        writer.write(b"x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)
        writer.close()
