"""The stage on a socket of its own, and a browser in front of it."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.async_api import Browser, Error, Page, async_playwright, expect

from tests.web.stage.stage import Stage

expect.set_options(timeout=10_000)  # a loaded machine is slow, not wrong

#: Longest wait for a browser to close, seconds.
CLOSING = 15

OpenPage = Callable[[str], Awaitable[Page]]


@dataclass
class Theatre:
    """A stage that is being served."""

    stage: Stage
    url: str


@pytest.fixture(scope="session")
async def serving(anyio_backend: object) -> AsyncIterator[Theatre]:
    stage = Stage()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(stage, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield Theatre(stage, f"http://127.0.0.1:{listener.getsockname()[1]}")
    server.should_exit = True
    await task


@pytest.fixture
async def theatre(serving: Theatre) -> Theatre:
    """The stage as if nothing had happened on it yet."""
    serving.stage.reset()
    return serving


async def closed(closing: Awaitable[None]) -> None:
    """Wait for a browser or a context to close; Playwright has no limit of its own for a page that never rests."""
    async with asyncio.timeout(CLOSING):
        await closing


@pytest.fixture(scope="session")
async def chromium(anyio_backend: object) -> AsyncIterator[Browser]:
    path = os.environ.get("ZENA_CHROMIUM") or shutil.which("chromium")
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except Error as error:
            pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")
        yield browser
        await closed(browser.close())


@pytest.fixture
async def open_page(chromium: Browser, theatre: Theatre) -> AsyncIterator[OpenPage]:
    """Open a page of the stage; a script error or a refusal by the content policy fails the test at its end."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    wrong: list[str] = []

    async def go(path: str) -> Page:
        page = await context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
        await page.goto(theatre.url + path)
        return page

    yield go
    await closed(context.close())
    assert not wrong
