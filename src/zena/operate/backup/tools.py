"""PostgreSQL's own programs, run beside a database: no password on a command line, none left running behind us."""

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import IO, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from zena.kit.db import asyncpg_dsn
from zena.kit.embedded.wheel import installed
from zena.kit.exits import Exit
from zena.operate.backup.refusal import Refused

#: Releases of the programs that come with the wheel. Those of 17 and newer set a parameter that 16 does not know.
_NEW, _OLD, _SHARED_SINCE = 18, 16, 17
_TLS: Final = frozenset({"require", "verify-ca", "verify-full"})
_PARAMETERS: Final = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "sslmode": "PGSSLMODE",
    "ssl": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
}  # fmt: skip


def in_database(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return re.sub(r"^(postgresql://[^/?]*)/[^?]*", lambda match: f"{match[1]}/{name}", url)


def name_of(url: str) -> str:
    """Return the database that a URL names."""
    return unquote(urlsplit(url).path.lstrip("/"))


async def run(program: str, url: str, *arguments: str, script: str | None = None, output: Path | None = None) -> bytes:
    """Run a program against the database of a URL; return what it printed, or write that to `output`.

    Refused with the program's own words when it fails. Cancelled, it is killed.
    """
    variables = {"LC_ALL": "C", "PATH": os.defpath, "PGTZ": "UTC", "PGCONNECT_TIMEOUT": "10"} | _libpq(url)
    with (
        open(os.devnull if output is None else output, "wb") as sink,  # noqa: PTH123, ASYNC230 - opened once
        _holding(script or "") as source,
    ):
        process = await asyncio.create_subprocess_exec(
            await _find(program, url, variables), *arguments,
            env=variables, cwd="/",
            stdin=source,
            stdout=asyncio.subprocess.PIPE if output is None else sink,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            told, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        words = complaint.decode(errors="replace").strip().splitlines()
        raise Refused(f"{program} failed: {' '.join(words[:3]) or process.returncode}", Exit.UNAVAILABLE)
    return told or b""


def _holding(text: str) -> IO[bytes]:
    """Return an unnamed file with a text: writing into a pipe fails where the program ends without having read it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asks for it closes it
    file.write(text.encode())
    file.seek(0)
    return file


def _libpq(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    given = {"PGHOST": parts.hostname, "PGPORT": parts.port and str(parts.port), "PGDATABASE": name_of(url)}
    given |= {"PGUSER": parts.username and unquote(parts.username)}
    given |= {"PGPASSWORD": parts.password and unquote(parts.password)}
    given |= {_PARAMETERS[name]: value for name, value in parse_qsl(parts.query) if name in _PARAMETERS}
    return {name: value for name, value in given.items() if value}


async def _find(program: str, url: str, variables: dict[str, str]) -> str:
    if variables.get("PGSSLMODE") not in _TLS:
        return installed(_NEW if await _major(url) >= _SHARED_SINCE else _OLD).tool(program)
    found = shutil.which(program)
    if found is None:
        raise Refused(
            f"{program} is not installed: a server reached by TLS needs PostgreSQL's own client programs", Exit.CONFIG
        )
    return found


async def _major(url: str) -> int:
    conn = await asyncpg.connect(asyncpg_dsn(url), timeout=10)
    try:
        return int(conn.get_server_version().major)
    finally:
        await conn.close(timeout=5)
