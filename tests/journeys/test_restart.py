"""A page stays open while the server is restarted, and while it is away: it waits, comes again, has missed nothing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, WebSocket, expect

from tests.cli.run import zena
from tests.faults.clients import APP
from tests.faults.installation import Installation, found_firm, installed

pytestmark = [pytest.mark.browser, pytest.mark.proof]  # a whole installation, restarted

#: Longest break of which the page says nothing, ms (live.js).
CALM = 2_500


@dataclass
class Lines:
    """The sockets that a page opened, and what it was told to wait when they were ended; by the test's clock."""

    opened: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)  # of the changes of projects that were told

    def watch(self, socket: WebSocket) -> None:
        self.opened.append(time.monotonic())
        socket.on("framereceived", self.heard)
        socket.on("close", lambda _: self.ended.append(time.monotonic()))

    def heard(self, text: str | bytes) -> None:
        said = json.loads(text)
        if said.get("code") == "restarting":
            self.pauses.append(said["retry_after"])
        elif said["op"] == "event" and said["type"] == "project.updated":
            self.positions.append(said["position"])


@dataclass
class Desk:
    """Somebody who looks at the list of projects, and a program that gives one of them new names."""

    house: Installation
    cookie: str
    page: Page
    lines: Lines
    project: str = ""

    async def name(self, name: str) -> None:
        headers = {"cookie": self.cookie, "sec-fetch-site": "same-origin"}
        async with httpx.AsyncClient(base_url=self.house.url, headers=headers, timeout=30) as http:
            if not self.project:
                self.project = (await http.post(f"{APP}/projects", json={"name": name})).json()["id"]
                return
            one = f"{APP}/projects/{self.project}"
            headers = {"if-match": (await http.get(one)).headers["etag"]}
            changed = await http.patch(one, json={"name": name}, headers=headers)
            assert changed.status_code == 200, changed.text

    async def sees(self, name: str) -> None:
        await expect(self.page.locator("main", has_text=name)).to_be_visible(timeout=30_000)


@pytest.fixture(scope="module")
async def desk(browser: Browser) -> AsyncIterator[Desk]:
    with installed() as house:
        house.start()
        await asyncio.to_thread(house.wait_until_up)
        await found_firm(house, 0)
        context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        page, lines = await context.new_page(), Lines()
        await page.goto(f"{house.url}/sign-in")
        await page.fill("[name=email]", "an@kill.test")
        await page.fill("[name=password]", "gantry-mortar-17")
        await page.click("button.go")
        await expect(page.locator("h1")).to_have_text("Dashboard")
        cookies = [f"{one['name']}={one['value']}" for one in await context.cookies()]
        made = Desk(house, "; ".join(cookies), page, lines)
        await made.name("Before")
        page.on("websocket", lines.watch)
        await page.goto(f"{house.url}/projects")
        await made.sees("Before")
        await page.evaluate("() => { window.never_loaded_again = true }")
        yield made
        await context.close()


async def test_a_restart_is_a_pause_in_which_nothing_is_lost(desk: Desk) -> None:
    await desk.name("While all is well")
    await desk.sees("While all is well")
    sign, lines = desk.page.locator("[data-live-state]"), desk.lines
    variables = {"ZENA_DATA_DIR": desk.house.data, "ZENA_PORT": desk.house.port}
    restarting = asyncio.create_task(
        asyncio.to_thread(lambda: zena("restart", "web", "--json", module="zena", **variables))
    )
    count = 0
    while len(lines.ended) < 1 or len(lines.opened) < 2:
        count += 1
        await desk.name(f"Restarted {count}")
        await asyncio.sleep(0.05)
        assert await sign.is_hidden()
        assert count < 600
    done = await restarting
    assert done.code == 0, done.err
    await desk.sees(f"Restarted {count}")
    assert len(lines.positions) == count + 1
    assert lines.positions == sorted(set(lines.positions))
    [pause] = lines.pauses
    waited = lines.opened[1] - lines.ended[0]
    print(f"told to wait {pause} s, came again after {waited:.2f} s, {count} changes meanwhile")
    assert pause * 0.9 < waited < pause + 1.5
    assert await desk.page.evaluate("() => window.never_loaded_again")


async def test_a_server_that_is_away_is_told_and_what_happened_is_shown_when_it_is_back(
    desk: Desk, screens: Path
) -> None:
    sign = desk.page.locator("[data-live-state]")
    assert await asyncio.to_thread(desk.house.stop) == 0
    assert len(desk.lines.pauses) == 2
    await expect(sign).to_be_visible(timeout=CALM + 2_000)
    await desk.page.screenshot(path=screens / "reconnecting-1280-light.png")
    desk.house.start()
    await asyncio.to_thread(desk.house.wait_until_up)
    await desk.name("While nobody listened")
    await desk.sees("While nobody listened")
    await expect(sign).to_be_hidden(timeout=30_000)
    await desk.name("After")
    await desk.sees("After")
    assert await desk.page.evaluate("() => window.never_loaded_again")
