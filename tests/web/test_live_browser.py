"""Regions that follow events, and what is in the user's hands while they do."""

import pytest
from playwright.async_api import Page, expect

from tests.web.conftest import OpenPage, Theatre
from tests.web.stage.stage import TENANT

pytestmark = pytest.mark.browser

TASKS = f"tenant:{TENANT}:tasks"


async def connected(page: Page, theatre: Theatre) -> None:
    for _ in range(50):
        if any(said["op"] == "subscribe" for said in theatre.stage.heard):
            return
        await page.wait_for_timeout(50)
    raise AssertionError(theatre.stage.heard)


async def test_an_event_draws_the_region_anew_and_only_it(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await connected(page, theatre)
    assert theatre.stage.heard[:2] == [
        {"op": "authenticate", "ticket": "t"},
        {"op": "subscribe", "channel": TASKS, "since": 5},
    ]
    await theatre.stage.tell(TASKS)
    await expect(page.locator("#drawn")).to_have_text("drawn 2")
    await expect(page.locator("#still")).to_have_text("still 1")


async def test_events_close_together_cause_one_fetch(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await connected(page, theatre)
    for _ in range(10):
        await theatre.stage.tell(TASKS)
    await expect(page.locator("#drawn")).to_have_text("drawn 2")
    await page.wait_for_timeout(300)
    assert theatre.stage.drawn == 2


async def test_what_is_typed_open_and_focused_stays(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await connected(page, theatre)
    await page.locator("#more summary").click()
    await page.locator("#free").fill("mine")
    note = page.get_by_label("Note")
    await note.fill("half a sentence")
    await note.evaluate("field => field.setSelectionRange(2, 4)")
    await theatre.stage.tell(TASKS)
    await expect(page.locator("#drawn")).to_have_text("drawn 2")
    await expect(note).to_have_value("half a sentence")
    await expect(note).to_be_focused()
    assert await note.evaluate("field => [field.selectionStart, field.selectionEnd]") == [2, 4]
    await expect(page.locator("#more")).to_have_attribute("open", "")
    await expect(page.locator("#free")).to_have_value("mine")
    # The version a form was drawn with goes with the text typed into it: the server must see the conflict.
    await expect(page.locator("#counter input[name=version]")).to_have_value("1")


async def test_after_a_cut_it_asks_from_where_it_was(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await connected(page, theatre)
    await theatre.stage.tell(TASKS)
    await expect(page.locator("#drawn")).to_have_text("drawn 2")
    theatre.stage.heard.clear()
    await theatre.stage.cut()
    await connected(page, theatre)
    assert {"op": "subscribe", "channel": TASKS, "since": 6} in theatre.stage.heard
    await page.wait_for_timeout(250)
    assert theatre.stage.drawn == 2


async def test_a_gap_is_closed_by_drawing_again(open_page: OpenPage, theatre: Theatre) -> None:
    theatre.stage.oldest = 100
    page = await open_page("/live")
    await expect(page.locator("#drawn")).to_have_text("drawn 2")


async def test_a_lost_line_is_told_calmly(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await connected(page, theatre)
    sign = page.locator("[data-live-state]")
    await expect(sign).to_be_hidden()
    theatre.stage.away = True
    await theatre.stage.cut()
    await expect(sign).to_be_visible()
    theatre.stage.away = False
    await expect(sign).to_be_hidden(timeout=15_000)


async def test_a_session_that_ended_lets_the_server_say_so(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await connected(page, theatre)
    theatre.stage.expired = True
    async with page.expect_navigation():
        await theatre.stage.cut()
    await expect(page.locator("#drawn")).to_have_text("drawn 2")


async def test_a_page_that_is_refused_again_and_again_is_loaded_again_once(
    open_page: OpenPage, theatre: Theatre
) -> None:
    page = await open_page("/live")
    await connected(page, theatre)
    theatre.stage.expired = True
    async with page.expect_navigation():
        await theatre.stage.cut()
    await expect(page.locator("[data-live-state]")).to_be_visible()
    assert theatre.stage.drawn == 2


async def test_something_typed_is_not_lost_to_a_session_that_ended(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await connected(page, theatre)
    await page.get_by_label("Comment").fill("half a thought")
    theatre.stage.expired = True
    await theatre.stage.cut()
    await page.wait_for_timeout(1500)
    await expect(page.get_by_label("Comment")).to_have_value("half a thought")
    assert theatre.stage.drawn == 1


async def test_where_no_socket_opens_the_stream_takes_over(open_page: OpenPage, theatre: Theatre) -> None:
    theatre.stage.away = True
    page = await open_page("/live")
    await expect(page.locator("#drawn")).to_have_text("drawn 3", timeout=15_000)


async def test_a_carried_card_is_not_drawn_under_the_hand(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/board")
    await connected(page, theatre)
    await page.locator("#task-a1").focus()
    for key in ("m", "ArrowRight"):
        await page.keyboard.press(key)
    await theatre.stage.tell(TASKS)
    await page.wait_for_timeout(300)
    assert await page.locator("[data-lane=in_progress] [data-card]").first.get_attribute("data-card") == "a1"
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-lane=backlog] [data-card=a1]")).to_be_visible()
