"""No serious finding of axe on the shell's parts, in either colour and on a phone."""

from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.web.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.proof]

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
RULES = "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})"


async def findings(page: Page) -> list[str]:
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate(RULES)
    return [f"{one['impact']} {one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci")


@needs_axe
@pytest.mark.parametrize(
    ("path", "look"),
    [
        ("/board?task=HBR-190", "light"),
        ("/board?task=HBR-190", "dark"),
        ("/dashboard", "light"),
        ("/dashboard", "dark.contrast"),
        ("/form", "light.contrast"),
        ("/form", "dark"),
        ("/signin", "light"),
    ],
)
async def test_axe_finds_nothing(open_page: OpenPage, path: str, look: str) -> None:
    page = await open_page(f"{path}{'&' if '?' in path else '?'}look={look}")
    await page.wait_for_load_state("networkidle")
    assert await findings(page) == []


@needs_axe
@pytest.mark.parametrize("path", ["/board", "/form"])
async def test_axe_finds_nothing_on_a_phone(open_page: OpenPage, path: str) -> None:
    page = await open_page(path)
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await findings(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
