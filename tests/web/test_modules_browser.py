"""The small modules: drafts, questions before danger, double sending, editing in place, keys, looks."""

import re

import pytest
from playwright.async_api import expect

from tests.web.conftest import OpenPage, Theatre

pytestmark = pytest.mark.browser


async def test_a_draft_survives_a_reload_and_ends_when_sent(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await page.get_by_label("Comment").fill("Steel comes at two")
    await page.reload()
    await expect(page.get_by_label("Comment")).to_have_value("Steel comes at two")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#taken")).to_be_visible()
    await page.go_back()
    await page.reload()
    await expect(page.get_by_label("Comment")).to_have_value("")


async def test_a_dangerous_form_asks_first(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete 3 tasks?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_be_hidden()
    assert not theatre.stage.posts
    await page.get_by_role("button", name="Delete").click()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.locator("#taken")).to_be_visible()
    assert theatre.stage.posts[0][1]["_token"] == ["token"]


async def test_a_form_is_sent_once(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/live")
    await page.evaluate(
        "const form = document.querySelector('form[action=\"/comment\"]'); form.requestSubmit(); form.requestSubmit();"
    )
    await expect(page.locator("#taken")).to_be_visible()
    assert len(theatre.stage.posts) == 1


async def test_editing_in_place_saves_on_enter_and_reverts_on_escape(open_page: OpenPage, theatre: Theatre) -> None:
    page = await open_page("/peek")
    page = await open_page("/board?task=HBR-190")
    name = page.locator("#task-head input[name=name]")
    await name.fill("Something else")
    await name.press("Escape")
    await expect(name).to_have_value("Column reinforcement, level 8")
    assert not theatre.stage.posts
    await name.fill("Column reinforcement, level 9")
    await name.press("Enter")
    await expect(page.locator("#taken")).to_be_visible()
    assert len(theatre.stage.posts) == 1
    path, fields = theatre.stage.posts[0]
    assert path == "/tasks/190/edit"
    assert fields == {"_token": ["token"], "version": ["3"], "name": ["Column reinforcement, level 9"]}


async def test_keys_walk_a_list_go_places_and_list_themselves(open_page: OpenPage) -> None:
    page = await open_page("/live")
    for key in ("j", "j", "k"):
        await page.keyboard.press(key)
    assert await page.evaluate("document.activeElement.id") == "row-0"
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("#opened-0$"))
    await page.keyboard.press("?")
    await expect(page.locator("#shortcuts")).to_contain_text("Dashboard")
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await page.keyboard.type("jjj")
    await expect(page.locator("[data-search]")).to_have_value("jjj")
    await page.locator("h1").click()
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await expect(page).to_have_url(re.compile("dashboard$"))


async def test_the_look_is_kept_for_the_next_page(open_page: OpenPage) -> None:
    page = await open_page("/board")
    await page.locator(".me").click()
    await page.get_by_role("button", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.get_by_role("button", name="High contrast").click()
    cookies = {cookie["name"]: cookie["value"] for cookie in await page.context.cookies()}
    assert cookies["zena_look"] == "dark.contrast"
    await expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


async def test_a_dialog_opens_and_closes(open_page: OpenPage) -> None:
    page = await open_page("/form")
    await page.get_by_role("button", name="Archive…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Close").click()
    await expect(dialog).to_be_hidden()
