"""The whole first day of a firm, in a real browser against a real installation; and a second browser that watches."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.journeys.conftest import Site, serious

pytestmark = pytest.mark.browser

FIRM, KEY = "Sông Hồng Construction", "BRG"
LATE = 1_000  # ms: a change is seen elsewhere within a second
CHANGES = 50


@pytest.fixture(scope="module")
async def owner(browser: Browser, site: Site) -> AsyncIterator[BrowserContext]:
    """The first person in: sets up the firm, makes a project with tasks."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    page = await context.new_page()
    await page.goto(site.link)
    await page.fill("[name=firm]", FIRM)
    await page.fill("[name=name]", "Trần Thị Bích")
    await page.fill("[name=email]", "bich@song-hong.example")
    await page.fill("[name=password]", "một cây cầu dài qua sông")
    await page.select_option("[name=locale]", "en")
    await page.click("main button.go, form button.go")
    await expect(page.locator("h1")).to_have_text("Dashboard")
    await page.goto(f"{site.url}/projects")
    await page.click("[data-dialog=new-project] >> nth=0")
    await page.fill("#new-project [name=name]", "Bridge over the Red River")
    await page.fill("#new-project [name=key]", KEY)
    await page.click("#new-project button.go")
    await expect(page.locator("h1")).to_have_text("Bridge over the Red River")
    for name in ("Survey the banks", "Pile the first pier", "Cast the deck"):
        await page.keyboard.press("c")
        await page.fill("#new-task [name=name]", name)
        await page.click("#new-task button.go")
        await expect(page.locator("tr", has_text=name)).to_be_visible()
    await page.close()
    yield context
    await context.close()


@pytest.fixture(scope="module")
async def colleague(browser: Browser, site: Site, owner: BrowserContext) -> AsyncIterator[BrowserContext]:
    """A second person with a browser of their own, invited by link."""
    page = await owner.new_page()
    await page.goto(f"{site.url}/members")
    await page.fill("[name=email]", "nam@song-hong.example")
    await page.select_option("select[name=role] >> nth=0", "pm")
    await page.click("button.go:has-text('Invite')")
    link = (await page.locator(".secret").inner_text()).strip()
    await page.close()
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    page = await context.new_page()
    await page.goto(link)
    await page.fill("[name=name]", "Phan Văn Nam")
    await page.fill("[name=password]", "bốn trụ và một nhịp dài")
    await page.click("button.go")
    await expect(page.locator(".firm, .side")).to_contain_text([FIRM])
    await page.close()
    yield context
    await context.close()


async def test_a_card_is_moved_by_keyboard_and_keeps_its_place(
    owner: BrowserContext, site: Site, screens: Path
) -> None:
    page = await board(owner, site)
    await page.locator(".task", has_text="Survey the banks").focus()
    await page.keyboard.press("Alt+ArrowRight")
    lane = page.locator("[data-lane=in_progress]")
    await expect(lane.locator(".task", has_text="Survey the banks")).to_be_visible()
    await page.keyboard.up("Alt")
    await page.wait_for_timeout(500)
    await page.reload()
    await expect(lane.locator(".task", has_text="Survey the banks")).to_be_visible()
    await page.screenshot(path=screens / "board-1440-light.png")
    await page.close()


async def test_a_card_is_dragged_with_the_pointer(owner: BrowserContext, site: Site) -> None:
    page = await board(owner, site)
    await page.locator(".task", has_text="Pile the first pier").drag_to(page.locator("[data-lane=in_progress] ul"))
    lane = page.locator("[data-lane=in_progress]")
    await expect(lane.locator(".task", has_text="Pile the first pier")).to_be_visible()
    await page.wait_for_timeout(500)
    await page.reload()
    await expect(lane.locator(".task", has_text="Pile the first pier")).to_be_visible()
    await page.close()


async def test_the_task_panel_edits_in_place_and_keeps_the_talk(
    owner: BrowserContext, site: Site, screens: Path
) -> None:
    page = await board(owner, site)
    await page.click("a.title:has-text('Cast the deck')")
    panel = page.locator("#peek article")
    await expect(panel).to_be_visible()
    name = panel.locator(".title [name=name]")
    await name.fill("Cast the deck, northern half")
    await name.press("Enter")
    await expect(page.locator(".task .title", has_text="northern half")).to_be_visible()
    await panel.locator("[name=body]").fill("Pump is booked from **05:30**.")
    await panel.locator("button:has-text('Comment')").click()
    await expect(panel.locator(".talk strong", has_text="05:30")).to_be_visible()
    await page.screenshot(path=screens / "panel-1440-light.png")
    await page.keyboard.press("Escape")
    await expect(page.locator("#peek")).to_be_hidden()
    await page.close()


async def test_several_tasks_are_changed_at_once_and_changed_back(owner: BrowserContext, site: Site) -> None:
    page = await owner.new_page()
    await page.goto(f"{site.url}/projects/{KEY}")
    for name in ("Survey the banks", "Pile the first pier"):
        await page.locator("tr", has_text=name).locator("[data-pick]").check()
    await page.select_option("#bulk-priority", "urgent")
    await page.click("#bulk button:has-text('Apply')")
    urgent = page.locator("#tasks tr", has_text="Urgent")
    await expect(urgent).to_have_count(2)
    await page.click("button:has-text('Undo')")
    await expect(urgent).to_have_count(0)
    await page.close()


async def test_a_refused_form_keeps_what_was_typed(owner: BrowserContext, site: Site) -> None:
    page = await owner.new_page()
    await page.goto(f"{site.url}/projects")
    await page.click("[data-dialog=new-project] >> nth=0")
    await page.fill("#new-project [name=name]", "Second bridge")
    await page.fill("#new-project [name=key]", KEY)
    await page.click("#new-project button.go")
    await expect(page.locator("#new-project .error")).to_contain_text(KEY)
    await expect(page.locator("#new-project [name=name]")).to_have_value("Second bridge")
    await page.close()


async def test_an_import_shows_its_mistakes_then_brings_the_plan_in(
    owner: BrowserContext, site: Site, screens: Path
) -> None:
    page = await owner.new_page()
    await page.goto(f"{site.url}/projects/{KEY}/imports")
    wrong = "Ref,Name,Due,Parent\n1,Approach road,2026-13-40,\n2,,2026-12-01,9\n"
    await upload(page, wrong)
    await page.click("button:has-text('Check the file')")
    await expect(page.locator("body")).to_contain_text("3 mistakes")
    await page.screenshot(path=screens / "import-1440-light.png")
    await page.goto(f"{site.url}/projects/{KEY}/imports")
    await upload(page, "Ref,Name,Due,Parent\n1,Approach road,2026-12-24,\n2,Kerbs,2026-12-30,1\n")
    await page.click("button:has-text('Check the file')")
    await page.click("button:has-text('Import 2 tasks')")
    await expect(page.locator("tr", has_text="Kerbs")).to_be_visible()
    await page.close()


async def test_another_browser_sees_a_move_within_a_second(
    owner: BrowserContext, colleague: BrowserContext, site: Site
) -> None:
    watching, moving = await board(colleague, site), await board(owner, site)
    await watching.evaluate("() => { window.neverReloaded = true; }")
    await moving.locator(".task", has_text="Cast the deck").focus()
    await moving.keyboard.press("Alt+ArrowRight")
    await moving.keyboard.up("Alt")
    seen = watching.locator("[data-lane=in_progress] .task", has_text="Cast the deck")
    await expect(moving.locator("[data-lane=in_progress] .task", has_text="Cast the deck")).to_be_visible()
    await expect(seen).to_be_visible(timeout=LATE)
    assert await watching.evaluate("() => window.neverReloaded === true")
    await watching.close()
    await moving.close()


async def test_after_a_cut_of_fifty_changes_the_page_catches_up(
    owner: BrowserContext, colleague: BrowserContext, site: Site
) -> None:
    watching, working = await board(colleague, site), await board(owner, site)
    await watching.evaluate("() => { window.neverReloaded = true; }")
    count = watching.locator("[data-lane=backlog] [data-lane-count]")
    before = int(await count.inner_text())
    await colleague.set_offline(True)
    await watching.wait_for_timeout(300)
    names = [f"Bearing {number}" for number in range(CHANGES)]
    project = await working.evaluate(_PROJECT_ID, KEY)
    created = await working.evaluate(_CREATE, [project, names])
    assert created == [201] * CHANGES
    await expect(count).to_have_text(str(before))
    await colleague.set_offline(False)
    await expect(count).to_have_text(str(before + CHANGES), timeout=20_000)
    await expect(watching.locator(".task", has_text=names[40])).to_be_visible()
    assert await watching.evaluate("() => window.neverReloaded === true")
    await watching.close()
    await working.close()


PAGES = (
    "/dashboard", "/projects", f"/projects/{KEY}", f"/projects/{KEY}/board", f"/projects/{KEY}/settings",
    f"/projects/{KEY}/imports", f"/tasks/{KEY}-1", "/tasks", "/my-work", "/labels", "/trash", "/members",
    "/audit", "/settings", "/profile", "/profile/security", "/profile/tokens", "/docs/api", "/nothing-here",
)  # fmt: skip


@pytest.mark.proof
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
async def test_every_page_passes_axe(
    owner: BrowserContext, site: Site, axe: str, screens: Path, scheme: str, width: int
) -> None:
    page = await owner.new_page()
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_viewport_size({"width": width, "height": 844 if width < 720 else 900})
    wrong: list[str] = []
    for path in PAGES:
        await page.goto(site.url + path)
        wrong += await serious(page, axe)
        wide = await page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            wrong.append(f"{path} is {wide} px wider than a window of {width}")
        await page.screenshot(path=screens / f"{path.strip('/').replace('/', '-')}-{width}-{scheme}.png")
    await page.close()
    assert wrong == []


async def test_signed_out_pages_pass_axe(browser: Browser, site: Site, axe: str) -> None:
    page = await browser.new_page()
    wrong: list[str] = []
    for path in ("/sign-in", "/reset", "/nothing-here"):
        await page.goto(site.url + path)
        wrong += await serious(page, axe)
    await page.close()
    assert wrong == []


async def test_the_pages_speak_vietnamese(colleague: BrowserContext, site: Site, screens: Path) -> None:
    page = await colleague.new_page()
    await page.goto(f"{site.url}/profile")
    await page.select_option("[name=locale]", "vi")
    await page.click("button.go")
    await page.goto(f"{site.url}/projects/{KEY}/board")
    await expect(page.locator("html")).to_have_attribute("lang", "vi")
    await expect(page.locator("[data-lane=done] h2")).to_have_text("Đã xong")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.screenshot(path=screens / "board-390-vi.png")
    await page.close()


async def board(context: BrowserContext, site: Site) -> Page:
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(f"{site.url}/projects/{KEY}/board")
    await expect(page.locator("[data-lane=backlog]")).to_be_visible()
    await page.wait_for_timeout(400)
    assert problems == []
    return page


async def upload(page: Page, content: str) -> None:
    await page.set_input_files("[name=file]", {"name": "plan.csv", "mimeType": "text/csv", "buffer": content.encode()})
    await page.click("button:has-text('Next')")


_PROJECT_ID = """async (key) => {
  const answer = await fetch(`/api/v1/app/projects?q=${key}`);
  return (await answer.json()).data[0].id;
}"""
_CREATE = """async ([project, names]) => {
  const statuses = [];
  for (const name of names) {
    const answer = await fetch(`/api/v1/app/projects/${project}/tasks`, {
      method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({name}),
    });
    statuses.push(answer.status);
  }
  return statuses;
}"""
