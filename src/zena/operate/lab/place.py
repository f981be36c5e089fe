"""The installation that faults are put into, and the guard before it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from zena.kit.embedded import ClusterUrls, urls_of_running
from zena.kit.supervisor.wish import read_note
from zena.settings import Settings

#: What a database's name must end in.
ENDING: Final = "_lab"
#: What sessions that hold something are called; the name says where it comes from.
HOLDER: Final = "zena-lab"
_HELD: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()
"""


@dataclass(slots=True)
class Door:
    """Where people open their sockets, and where the page is that opens them; a fault may put something before both."""

    url: str
    page: str


class NotALab(Exception):  # noqa: N818 - says what is
    """Faults are refused here; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A running installation with an embedded database.

    `redis` is the URL of a server that is this lab's alone, None without one; `variables` are those of its commands;
    `door` is where its people open sockets.
    """

    data_dir: Path
    urls: ClusterUrls
    pace: float
    redis: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    door: Door = field(default_factory=lambda: Door("", ""))

    async def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command of ours with --json, as an operator does; return its exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "zena", *words, "--json",
            env=dict(self.variables), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        said, _ = await process.communicate()
        return process.returncode or 0, json.loads(said or b"{}")

    async def sql(self, *statements: str) -> None:
        """Run statements as the server's superuser, each by itself."""
        async with self.session(self.urls.superuser) as conn:
            for statement in statements:
                await conn.execute(statement)

    async def value(self, query: str, *values: Any) -> Any:
        """Return the one value of a query, as the superuser."""
        async with self.session(self.urls.superuser) as conn:
            return await conn.fetchval(query, *values)

    @asynccontextmanager
    async def session(self, url: str) -> AsyncIterator[Any]:
        """Lend a connection of whoever `url` names."""
        conn = await asyncpg.connect(url, timeout=10, server_settings={"application_name": HOLDER})
        try:
            yield conn
        finally:
            await conn.close(timeout=2)

    async def let_go(self) -> None:
        """End every session that a fault holds: also those of a lab that was killed."""
        await self.value(_HELD, HOLDER)

    def crew(self) -> dict[str, int]:
        """Return the process ids by name: web-1, worker-1."""
        note = read_note(self.data_dir / "serve.json")
        return dict(note["crew"]) if note else {}

    def pids(self, kind: str) -> list[int]:
        """Return the processes of a kind: web, worker, websocket."""
        return [pid for name, pid in sorted(self.crew().items()) if name.startswith(f"{kind}-")]


def place_of(settings: Settings) -> Place:
    """Return the lab that runs in the data directory. Raises NotALab."""
    if settings.env != "lab":
        raise NotALab(f"ZENA_ENV is {settings.env}: faults are put into a lab only, `ZENA_ENV=lab`")
    if not settings.embedded:
        raise NotALab("ZENA_DATABASE_URL is set: a lab has the embedded database, and nobody else's")
    urls = urls_of_running(settings.data_dir)
    if urls is None:
        raise NotALab(f"nothing runs in {settings.data_dir}: `ZENA_ENV=lab zena serve --demo` starts it")
    check_name(urls)
    door = Door(settings.public_url, settings.public_url)
    return Place(settings.data_dir, urls, settings.pace, door=door)  # who else uses its Redis is not to feel a fault


def check_name(urls: ClusterUrls) -> None:
    """Refuse a database whose name does not say that it may be broken. Raises NotALab."""
    name = urlsplit(urls.superuser).path.lstrip("/")
    if not name.endswith(ENDING):
        raise NotALab(f"the database is called {name}, not *{ENDING}: faults are not put into it")
