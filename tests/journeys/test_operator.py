"""An operator's way into the console, in a real browser before a real installation; and how the console looks."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pyotp
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.journeys.conftest import Site, _served, serious
from tests.kit.pg import open_folder
from tests.operate.console import point, series
from zena.kit.db import set_json_codecs
from zena.kit.embedded import urls_of_running
from zena.kit.ids import new_id
from zena.operate.incidents.actions import note_diagnosis, open_incident
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Reading
from zena.settings import without_settings

pytestmark = pytest.mark.browser

EMAIL, PASSWORD = "lan@ben-thanh.example", "một nhịp cầu qua sông nhỏ"
OWNER = "an.nguyen@meridian.example"
PAGES = (
    "/ops", "/ops?span=24h", "/ops?span=30d", "/ops/requests", "/ops/queries", "/ops/cache", "/ops/queue",
    "/ops/realtime", "/ops/tenants", "/ops/logs", "/ops/backups", "/ops/changes", "/ops/settings",
    "/ops/runbook", "/ops/requests?back=5m",
)  # fmt: skip


@dataclass(slots=True)
class House:
    """A running installation and the directory it keeps its data in."""

    site: Site
    folder: Path

    def zena(self, *arguments: str) -> str:
        """Run a command beside the server, as whoever runs it would."""
        environment = without_settings(os.environ)
        environment["ZENA_DATA_DIR"] = str(self.folder / "data")
        done = subprocess.run(
            [sys.executable, "-m", "zena", *arguments],
            env=environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """An installation of its own: its one link for the first person is not shared with the other journeys."""
    with open_folder() as folder:
        for site in _served(folder):
            yield House(site, folder)


@pytest.fixture(scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    made = await browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    made.set_default_timeout(10_000)
    yield made
    await made.close()


@pytest.fixture(scope="module")
async def operator(context: BrowserContext, house: House) -> BrowserContext:
    """Set the firm up, become an operator, turn the second factor on, confirm with it, arrive."""
    page = await context.new_page()
    await page.goto(house.site.link)
    for name, value in (("firm", "Bến Thành Build"), ("name", "Lê Thị Lan"), ("email", EMAIL), ("password", PASSWORD)):
        await page.fill(f"[name={name}]", value)
    await page.select_option("[name=locale]", "en")
    await page.click("main button.go, form button.go")
    await expect(page.locator("h1")).to_have_text("Dashboard")

    await page.goto(f"{house.site.url}/ops")
    await expect(page.locator("h1")).to_have_text("You are not allowed to do this")
    house.zena("operator", "create", EMAIL)
    await page.goto(f"{house.site.url}/ops")
    await page.click("text=To sign-in and security")
    await page.click("form[action='/profile/second-factor'] button.go")
    seed = (await page.locator(".secret").inner_text()).strip()
    code = pyotp.TOTP(seed)
    now = int(time.time())
    await page.fill("[name=code]", code.at(now))
    await page.click("form[action='/profile/second-factor/confirmation'] button.go")
    await page.goto(f"{house.site.url}/dashboard")
    await page.click(".side a:has-text('Operations')")
    await expect(page.locator("h1")).to_have_text("Is it still you?")
    await page.fill("[name=password]", PASSWORD)
    await page.fill("[name=code]", code.at(now + 30))
    await page.click("form[action='/confirm'] button.go")
    await expect(page.locator("h1")).to_have_text("Overview")
    await page.close()
    return context


@pytest.mark.proof
async def test_the_overview_follows_without_a_reload_and_rests_while_hidden(
    operator: BrowserContext, house: House
) -> None:
    page = await operator.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    await page.goto(f"{house.site.url}/ops")
    await page.evaluate("() => { window.neverReloaded = true; }")
    await page.click("#charts-as-table summary")
    shown = page.locator(".asof time")
    before = await shown.get_attribute("datetime")
    await expect(shown).not_to_have_attribute("datetime", before or "", timeout=25_000)
    assert await page.evaluate("() => window.neverReloaded === true")
    assert await page.locator("#charts-as-table").get_attribute("open") is not None
    await page.evaluate(_HIDE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.wait_for_timeout(12_000)
    assert asked == []
    async with page.expect_request("**/ops", timeout=5_000):  # at once, not at the next turn
        await page.evaluate(_SHOW)
    assert problems == []
    await page.close()


@pytest.mark.proof
@pytest.mark.parametrize(
    ("scheme", "width", "locale"), [("light", 1440, "en"), ("dark", 390, "en"), ("light", 390, "vi")]
)
async def test_every_page_of_the_console_passes_axe(
    operator: BrowserContext, house: House, axe: str, screens: Path, scheme: str, width: int, locale: str
) -> None:
    page = await operator.new_page()
    await page.goto(f"{house.site.url}/profile")
    await page.select_option("[name=locale]", locale)
    await page.click("form button.go")
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_viewport_size({"width": width, "height": 844 if width < 720 else 900})
    wrong: list[str] = []
    for path in [*PAGES, await a_kept_request(page, house), await an_incident(house)]:
        await page.goto(house.site.url + path)
        wrong += await serious(page, axe)
        wide = await page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            wrong.append(f"{path} is {wide} px wider than a window of {width}")
        name = path[:18].strip("/").replace("/", "-").replace("?", "-").replace("=", "-")
        await page.screenshot(path=screens / f"{name}-{width}-{scheme}-{locale}.png", full_page=True)
    await page.close()
    assert wrong == []


async def test_the_console_is_walked_with_the_keyboard(operator: BrowserContext, house: House) -> None:
    page = await operator.new_page()
    await page.goto(f"{house.site.url}/ops")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    current = page.locator(".side a[aria-current]")
    await expect(current).to_have_attribute("href", "/ops")
    await page.locator(".side a[href='/ops/queue']").focus()
    await page.keyboard.press("Enter")
    await expect(current).to_have_attribute("href", "/ops/queue")
    await page.close()


async def test_an_operator_enters_a_firm_and_its_owner_sees_it_and_ends_it(
    operator: BrowserContext, browser: Browser, house: House, axe: str, screens: Path
) -> None:
    house.zena("demo")
    link = house.site.url + urlsplit(house.zena("user", "reset-link", OWNER).strip()).path
    page = await operator.new_page()
    wrong: list[str] = []

    async def look(page: Page, name: str) -> None:
        """Keep a still at either width, in either colours, and ask axe."""
        for scheme, width in (("light", 1440), ("dark", 390)):
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            await page.set_viewport_size({"width": width, "height": 844 if width < 720 else 900})
            wrong.extend(await serious(page, axe))
            await page.screenshot(path=screens / f"support-{name}-{width}-{scheme}.png", full_page=True)

    await page.goto(f"{house.site.url}/profile")
    await page.select_option("[name=locale]", "en")
    await page.click("form button.go")
    await page.goto(f"{house.site.url}/ops/tenants?q=meridian")
    await page.click("tr:has-text('Meridian') a:has-text('Enter')")
    await page.fill("[name=reason]", "too short")
    await page.click("form[action$='/visit'] button.go")
    await expect(page.locator("form[action$='/visit'] [aria-invalid]")).to_be_visible()
    await look(page, "asked")
    await page.fill("[name=reason]", "Request 4711: the board shows no tasks")
    await page.click("form[action$='/visit'] button.go")
    banner = page.locator(".notice.standing")
    await expect(banner).to_contain_text("as support until")
    await page.goto(f"{house.site.url}/tasks")
    await look(page, "visit")

    async with await browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce") as other:
        mine = await other.new_page()
        await mine.goto(link)
        await mine.fill("[name=password]", PASSWORD)
        await mine.click("form button.go")
        await mine.goto(f"{house.site.url}/sign-in")
        await mine.fill("[name=email]", OWNER)
        await mine.fill("[name=password]", PASSWORD)
        await mine.click("form button.go")
        await expect(mine.locator(".notice.standing")).to_contain_text("looks at your firm")
        await look(mine, "told")
        await mine.click(".notice.standing a")
        await mine.click("summary:has-text('Opened')")
        await expect(mine.locator("main")).to_contain_text("GET /tasks")
        await look(mine, "list")
        await mine.click("button:has-text('End now')")
        await expect(mine.locator("main")).to_contain_text("ended by your firm")
        await look(mine, "ended")
    await expect(banner).to_have_count(0, timeout=10_000)  # the live connection closes, and the page is loaded again
    await page.close()
    assert wrong == []


async def a_kept_request(page: Page, house: House) -> str:
    """Return the page of a request that was kept; refused ones are, and one was made on the way in."""
    await page.goto(f"{house.site.url}/ops/requests?reason=denied")
    link = page.locator("a[href^='/ops/requests/']").first
    for _ in range(20):
        if await link.count():
            break
        await page.wait_for_timeout(1_000)
        await page.reload()
    found = await link.get_attribute("href")
    assert found is not None
    return found


_HIDE = "() => Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })"
_SHOW = "() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }"


PLAN = {
    "effects": ["write a copy of held jobs of work.import that failed as 5f2c1a9be011 (DecodeError)", "delete them"],
    "touches": {"jobs": 3, "firms": 1}, "undo": "none: the copy tells what to do by hand",
}  # fmt: skip
_PLANNED = """
INSERT INTO ops.operator_order (incident_id, kind, words, remedy, plan_hash, even_so, actor, at, ended_at, state, plan)
VALUES ($1, 'plan', '', 'discard_held', '', false, 'somebody', $2, $2, 'done', $3)
"""


async def an_incident(house: House) -> str:
    """Open one as who watches does, that reached a firm on two screens, with a plan of what is final."""
    urls = urls_of_running(house.folder / "data")
    assert urls is not None
    conn, now = await asyncpg.connect(urls.ops), datetime.now(UTC)
    await set_json_codecs(conn)
    try:
        firm = await conn.fetchval("SELECT id::text FROM tenant ORDER BY id LIMIT 1")
        for metric, label in (("http.page", "GET /projects"), ("http.dashboard", "GET /dashboard"), ("tenant", firm)):
            number = await series(conn, metric, label)
            await point(conn, number, now.replace(second=0, microsecond=0), {900: 40, 12: 400}, bad=3)
        reading = Reading(new_id().hex, over=True, calm=False, says="3 of 440 failed", value=0.1, limit=0.05)
        why = Diagnosis([Hypothesis("payload", 0.9, "held", [Evidence("held jobs", "a1b2")], "zena queue failed")])
        async with conn.transaction():
            incident = await open_incident(conn, BY_ID["Q2"], reading, now, now)
            assert incident is not None
            await note_diagnosis(conn, incident, why, now)
            await conn.execute(_PLANNED, incident, now, {"hash": "0" * 64} | PLAN)
        return f"/ops/incidents/{incident}"
    finally:
        await conn.close()
