"""Embedded servers for tests that start and kill them."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from zena.settings import without_settings

FAST = {"fsync": "off", "full_page_writes": "off"}


@contextmanager
def open_folder(prefix: str = "zt-") -> Iterator[Path]:
    """A directory the server's own user may pass, unlike pytest's; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ask(url: str, *statements: str) -> Any:
    """Run statements on one connection and return the first value of the last."""

    async def run() -> Any:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def environment(**values: str) -> dict[str, str]:
    """Our environment without settings, plus `values`. Nobody goes through an installation of ours unasked."""
    return without_settings(os.environ) | {"ZENA_SENTINEL": "none"} | values
