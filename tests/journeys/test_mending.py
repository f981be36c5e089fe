"""From an alert to its verified end by its link and a browser alone: a table that leaks, before a real installation."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.factories.post import Post, post_beside
from tests.journeys.conftest import serious
from tests.journeys.test_operator import House, context, house, operator
from tests.operate.site import until
from zena.kit.embedded import urls_of_running

pytestmark = [pytest.mark.browser, pytest.mark.proof]
__all__ = ("context", "house", "operator")

#: Seconds are what a worker needs to look twice, and to see what came of a remedy twice.
SOON, LATER = 60_000, 120_000
TO = "lan@example.com"


async def test_an_operator_mends_a_leak_from_the_letter_that_tells_of_it(
    operator: BrowserContext, house: House, office: Post, axe: str, screens: Path
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

    letter = await asyncio.to_thread(_letter, office, "T2")
    assert "cause: open_policy" in letter
    [link] = re.findall(r"https?://\S+/ops/incidents/\d+", letter)
    await page.goto(link)
    await expect(page.locator("main")).to_contain_text("open_policy", timeout=SOON)
    await expect(page.locator("main")).to_contain_text(
        "the harm is kept in", timeout=SOON
    )  # shut off without being asked
    await expect(page.locator("tr:has-text('mail:lan@example.com')").first).to_contain_text("sent", timeout=SOON)
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


@pytest.fixture(scope="module")
def office(house: House) -> Iterator[Post]:
    """A post office to which alerts go, set as the documentation tells, and tried."""
    with post_beside() as made:
        lines = f"ZENA_SMTP_URL={made.url}?starttls=never", "ZENA_MAIL_FROM=zena@example.com", f"ZENA_ALERT_MAIL={TO}"
        settings = house.folder / "data" / "zena.env"
        settings.write_text("".join(f"{line}\n" for line in lines))
        settings.chmod(0o640)
        house.zena("config", "reload")
        house.zena("alert", "test")
        assert made.receivers == [TO]
        yield made


def _letter(office: Post, symptom: str) -> str:
    """Wait for the letter that tells of a symptom, and return its text."""
    found: list[str] = []

    def come() -> bool:
        told = [one for one in office.letters if f" {symptom} " in one["Subject"]]
        found[:] = [body.get_content() for one in told if (body := one.get_body(("plain",))) is not None]
        return bool(found)

    until(come, SOON / 1000)
    return found[0]


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
