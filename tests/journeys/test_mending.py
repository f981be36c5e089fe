"""From an incident to its verified end with a browser alone: a table that leaks, before a real installation."""

from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.journeys.conftest import serious
from tests.journeys.test_operator import House, context, house, operator
from zena.kit.embedded import urls_of_running

pytestmark = [pytest.mark.browser, pytest.mark.proof]
__all__ = ("context", "house", "operator")

#: Seconds are what a worker needs to look twice, and to see what came of a remedy twice.
SOON, LATER = 60_000, 120_000


async def test_an_operator_mends_a_leak_from_its_incident(
    operator: BrowserContext, house: House, axe: str, screens: Path
) -> None:
    await _as_superuser(house, "CREATE POLICY everybody ON label USING (true)")
    page = await operator.new_page()
    wrong: list[str] = []

    async def look(name: str) -> None:
        for scheme, width in (("dark", 390), ("light", 1440)):
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            await page.set_viewport_size({"width": width, "height": 844 if width < 720 else 900})
            wrong.extend(await serious(page, axe))
            wide = await page.evaluate(
                "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            wrong.extend([f"{name} is {wide} px wider than a window of {width}"] if wide > 0 else [])
            await page.screenshot(path=screens / f"mending-{name}-{width}-{scheme}.png", full_page=True)

    await page.goto(f"{house.site.url}/ops/incidents")
    incident = page.locator("tr:has-text('T2') a[href^='/ops/incidents/']").first
    await expect(incident).to_be_visible(timeout=SOON)  # the page follows by itself
    await incident.click()
    await expect(page.locator("main")).to_contain_text("open_policy", timeout=SOON)
    await expect(page.locator("main")).to_contain_text(
        "the harm is kept in", timeout=SOON
    )  # shut off without being asked
    await look("incident")
    await page.locator("#acknowledge button").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_contain_text("somebody looks", timeout=SOON)
    await page.click("#plan-restore_fence button")
    await expect(page.locator("#apply-restore_fence")).to_be_visible(timeout=SOON)
    await expect(page.locator("main")).to_contain_text("drop the policy everybody of label")
    await look("plan")
    await page.click("#apply-restore_fence button")
    await page.click("dialog[open] button:has-text('Apply')")
    await expect(page.locator("main")).to_contain_text(": fixed,", timeout=LATER)
    await look("fixed")
    await _take_back(page)
    await look("back")
    await page.goto(f"{house.site.url}/ops/runbook")
    await look("runbook")
    await page.close()
    assert wrong == []


async def _take_back(page: Page) -> None:
    """Open the table again: that wants its remedy's name typed."""
    await page.click("a:has-text('Take back')")
    await page.fill("#back [name=words]", "yes")
    await page.click("#back button")
    await expect(page.locator("#back [aria-invalid]")).to_be_visible()
    await page.fill("#back [name=words]", "quarantine")
    await page.click("#back button")
    await expect(page.locator("main")).to_contain_text("is taken back", timeout=SOON)


async def _as_superuser(house: House, statement: str) -> None:
    urls = urls_of_running(house.folder / "data")
    assert urls is not None
    conn = await asyncpg.connect(urls.superuser)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()
