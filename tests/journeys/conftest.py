"""A whole installation, started as a newcomer starts it, and a real browser in front of it."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Error, Page, async_playwright

from tests.kit.pg import open_folder
from zena.settings import without_settings

#: Longest wait for the first start ever: database made, migrated, served.
PATIENCE = 90
_LINK = re.compile(r"http://localhost:\d+/\S+/\S+")


@dataclass(slots=True)
class Site:
    """A running `zena serve` and the one-time link it printed."""

    url: str
    link: str


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Start `zena serve` in an empty directory; the supervisor and all its children end with the run."""
    with open_folder() as folder:
        yield from _served(folder)


def _served(folder: Path) -> Iterator[Site]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = without_settings(os.environ)
    environment |= {"ZENA_DATA_DIR": str(folder / "data"), "ZENA_PORT": str(port), "ZENA_RATE_USER": "100000"}
    environment |= {"ZENA_RATE_TENANT": "100000", "ZENA_RATE_ANONYMOUS": "10000", "ZENA_SENTINEL": "none"}
    output = folder / "output"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "zena", "serve"], env=environment, stdout=sink, stderr=subprocess.STDOUT, cwd=folder
        )
        try:
            yield Site(f"http://localhost:{port}", _link(process, output))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@pytest.fixture(scope="session")
async def browser(anyio_backend: object) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        path = os.environ.get("ZENA_CHROMIUM") or shutil.which("chromium")
        try:
            made = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except Error as error:
            pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")
        yield made
        async with asyncio.timeout(15):
            await made.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core, which is installed for tests only."""
    path = Path("node_modules/axe-core/axe.min.js")
    if not path.is_file():
        pytest.skip("axe-core is not installed: run `make vendor`")
    return path.read_text(encoding="utf-8")


async def serious(page: Page, axe: str) -> list[str]:
    """Return axe's serious and critical findings of a page, each with the element it found."""
    await page.evaluate(axe)
    found = await page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{page.url}: {one['id']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


def _link(process: "subprocess.Popen[bytes]", output: Path) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        said = output.read_text(encoding="utf-8", errors="replace")
        found = _LINK.search(said)
        if found:
            return found[0]
        if process.poll() is not None:
            pytest.fail(f"zena serve ended with {process.returncode}: {said[-2000:]}")
        time.sleep(0.1)
    pytest.fail(f"no link within {PATIENCE} s: {said[-2000:]}")
