"""An installation of the lab's own: made in an empty folder, with a demo firm and, where there is one, a Redis."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from zena.kit.embedded import urls_of_running
from zena.kit.embedded.initdb import as_account
from zena.operate.lab.place import Door, NotALab, Place, check_name
from zena.operate.lab.traffic import People
from zena.settings import without_settings

#: Windows of half an hour are a minute and a half.
PACE: Final = 0.05
_START, _STOP = 120.0, 60.0
_REDIS: Final = "redis-server"
#: What paths name.
_KNOWN: Final = {
    "tenant": "SELECT id FROM tenant WHERE plan <> 'probe' ORDER BY id LIMIT 1",
    "task": "SELECT task_id FROM comment ORDER BY task_id LIMIT 1",
}
_NO_LIMITS: Final = {f"ZENA_RATE_{who}": "1000000" for who in ("USER", "TENANT", "ANONYMOUS")}


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[tuple[Place, People]]:
    """Run an installation in a folder until the block ends. Raises NotALab where it does not start."""
    async with _redis(folder) as redis:
        door = _free_port()
        settings = {
            **without_settings(os.environ),
            **_NO_LIMITS,
            "ZENA_ENV": "lab", "ZENA_PACE": str(PACE), "ZENA_DATA_DIR": str(folder), "ZENA_PORT": "0",
            "ZENA_WEBSOCKET_PROCESSES": "1", "ZENA_WEBSOCKET_PORT": str(door),
            "ZENA_LOG_OUTPUT": "files", "ZENA_AUTOMATIC": "none", "ZENA_SENTINEL": "none",
            **({"ZENA_REDIS_URL": redis} if redis else {}),
        }  # fmt: skip
        async with _running([sys.executable, "-m", "zena", "serve", "--demo"], settings) as process:
            url, link = await _begun(process)
            urls = urls_of_running(folder)
            if urls is None:
                raise NotALab(f"the database of the lab in {folder} does not answer")
            check_name(urls)
            place = Place(folder, urls, PACE, redis, settings, Door(f"http://localhost:{door}", url))
            await place.command("tenant", "verify-isolation")  # else it begins by itself, and meets a broken fence
            known = {name: str(await place.value(query)) for name, query in _KNOWN.items()}
            people = People(url, place.door, known)
            await people.enter(link)
            yield place, people


async def _begun(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Return the address and the link of the first person, which the server says in its first two lines."""
    stream = process.stdout
    if stream is None:
        raise NotALab("the lab says nothing")
    said: list[list[str]] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(_START):
            said = [(await stream.readline()).decode().split() for _ in range(2)]
    if not said or not all(said):
        raise NotALab("the lab did not start: `zena serve` in an empty folder says why")
    return said[0][-1], said[1][-1]


@asynccontextmanager
async def _redis(folder: Path) -> AsyncIterator[str | None]:
    """Run the system's Redis, where it has one."""
    binary = shutil.which(_REDIS)
    if binary is None:
        yield None
        return
    port = _free_port()
    options = {"port": port, "bind": "127.0.0.1", "save": "", "dir": folder}
    command = [binary, *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
    async with _running(command, dict(os.environ)):
        yield f"redis://127.0.0.1:{port}/0"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@asynccontextmanager
async def _running(command: list[str], settings: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program until the block ends, or this process does: a lab that is killed leaves nobody behind."""
    process = await asyncio.create_subprocess_exec(
        *as_account(None, command), env=settings, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
