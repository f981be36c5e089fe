"""Moving cards, by mouse and by keys, with its way back."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage, Theatre

pytestmark = pytest.mark.browser


async def lane_of(page: Page, card: str) -> object:
    return await page.locator(f"#task-{card}").evaluate("card => card.closest('[data-lane]').dataset.lane")


async def drag(page: Page, card: str, target: str) -> None:
    await page.locator(f"#task-{card} .key").hover()
    await page.mouse.down()
    box = await page.locator(target).bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=6)
    await page.mouse.up()


async def test_a_card_dragged_to_a_lane_is_sent_with_its_neighbours(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/board")
    await drag(page, "a1", "[data-lane=in_progress] [data-card=b1]")
    await expect(page.locator(".toast")).to_contain_text("moved to In progress")
    move = theatre.stage.moves[0]
    assert move["status"] == "in_progress"
    assert move["version"] == 1
    assert "b1" in (move["before"], move["after"])
    assert await page.locator("#task-a1").get_attribute("data-version") == "2"


async def test_a_refused_move_goes_back_and_says_why(open_page: OpenPage, theatre: Theatre) -> None:
    theatre.stage.refuse = (422, "HBR-209 must be done first.")
    page = await open_page("/board")
    await drag(page, "a1", "[data-lane=in_progress] [data-card=b1]")
    await expect(page.locator(".toast")).to_contain_text("HBR-209 must be done first.")
    assert await lane_of(page, "a1") == "backlog"
    assert await page.locator("[data-lane=backlog] [data-card]").first.get_attribute("data-card") == "a1"


async def test_a_move_the_workflow_does_not_know_is_not_even_sent(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/board")
    await drag(page, "a1", "[data-lane=done] [data-card=d1]")
    await expect(page.locator(".toast")).to_contain_text("cannot go from Backlog to Done")
    assert not theatre.stage.moves
    assert await lane_of(page, "a1") == "backlog"


async def test_undo_moves_the_card_back(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/board")
    await drag(page, "a2", "[data-lane=in_progress] [data-card=b1]")
    await expect(page.locator(".toast")).to_be_visible()
    await page.keyboard.press("z")
    await expect(page.locator("[data-lane=backlog] [data-card=a2]")).to_be_visible()
    await expect(page.locator("[data-carrying]")).to_have_count(0)
    assert theatre.stage.moves[1] == {"status": "backlog", "after": "a1", "before": "a3", "version": 2}


async def test_a_blocked_task_needs_a_reason(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/board")
    await drag(page, "b1", "[data-lane=blocked] [data-card=c1]")
    await page.get_by_role("textbox", name="Why?").fill("Grid permit")
    await page.get_by_role("button", name="OK").click()
    await expect(page.locator(".toast")).to_contain_text("moved to Blocked")
    assert theatre.stage.moves[0]["reason"] == "Grid permit"


async def test_a_move_called_off_in_its_dialog_sends_nothing(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/board")
    await drag(page, "b1", "[data-lane=blocked] [data-card=c1]")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("[data-carrying]")).to_have_count(0)
    assert not theatre.stage.moves
    assert await lane_of(page, "b1") == "in_progress"


async def test_alt_arrows_carry_a_card_and_tell_where_it_is(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/board")
    await page.locator("#task-a1").focus()
    await page.keyboard.down("Alt")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#announce")).to_have_text("In progress, place 1 of 3")
    await page.keyboard.up("Alt")
    await expect(page.locator(".toast")).to_contain_text("moved to In progress")
    assert theatre.stage.moves[0]["before"] == "b1"
    assert await page.evaluate("document.activeElement.id") == "task-a1"


async def test_m_picks_up_and_escape_puts_back(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/board")
    await page.locator("#task-a1").focus()
    for key in ("m", "ArrowDown", "Escape"):
        await page.keyboard.press(key)
    assert await page.locator("[data-lane=backlog] [data-card]").first.get_attribute("data-card") == "a1"
    for key in ("m", "ArrowDown", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("[data-carrying]")).to_have_count(0)
    assert theatre.stage.moves == [{"status": "backlog", "after": "a2", "before": "a3", "version": 1}]


async def test_arrows_walk_over_the_cards(open_page: OpenPage) -> None:
    page = await open_page("/board")
    await page.locator("#task-a1").focus()
    for key in ("ArrowDown", "ArrowRight"):
        await page.keyboard.press(key)
    assert await page.evaluate("document.activeElement.id") == "task-b2"


async def test_a_click_opens_the_panel_and_escape_closes_it(open_page: OpenPage) -> None:
    page = await open_page("/board")
    await page.locator("#task-b2 .title").click()
    await expect(page.locator("#peek article")).to_be_visible()
    await expect(page).to_have_url(re.compile("task=HBR-190"))
    await page.keyboard.press("Escape")
    await expect(page.locator("#peek")).to_be_hidden()
    assert "task=" not in page.url
    await expect(page.locator("#task-b2")).to_be_focused()


async def test_the_address_opens_the_panel_again(open_page: OpenPage) -> None:
    page = await open_page("/board?task=HBR-190")
    await expect(page.locator("#peek article")).to_be_visible()
