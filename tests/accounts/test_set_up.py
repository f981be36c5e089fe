"""The first start: one link begins one installation, once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.accounts.browser import PASSWORD, Browser
from zena.accounts.facade import issue_set_up_link
from zena.kit.embedded import EmbeddedPostgres
from zena.kit.state import State
from zena.main import build_state, create_app
from zena.migrations.run import upgrade
from zena.settings import Settings

FIRST = {
    "firm": "Xây dựng Hòa Bình",
    "name": "Lan Phạm",
    "email": "Lan@HoaBinh.test",
    "password": PASSWORD,
    "timezone": "Asia/Ho_Chi_Minh",
    "locale": "vi",
    "currency": "VND",
}


@pytest.fixture
async def empty(cluster: EmbeddedPostgres, settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[State]:
    """The parts of a process over a database in which nobody is."""
    name = f"empty_{abs(hash(request.node.name)) % 10**9}"
    urls = cluster.create_database(name)
    await upgrade(urls.owner, urls.ops)
    own = {"database_url": urls.app, "database_owner_url": urls.owner, "database_ops_url": urls.ops}
    made = build_state(Settings(**(settings.model_dump() | own)))
    async with create_app(made).app.lifespan():
        yield made
    cluster.drop_database(name)


async def test_the_link_founds_the_first_firm(empty: State) -> None:
    link = await issue_set_up_link(empty.db, "https://zena.test")
    assert link is not None
    async with Browser(create_app(empty)) as browser:
        assert "Nobody has an account here yet" in (await browser.get("/sign-in")).text
        weak = await browser.form(link, link, FIRST | {"password": "password1", "email": "x"})
        assert weak.status_code == 422
        assert FIRST["firm"] in weak.text
        assert PASSWORD not in weak.text
        done = await browser.form(link, link, FIRST)
        assert done.headers["location"] == "/"
        me = (await browser.api("GET", "me")).json()
        assert (me["role"], me["user"]["email"]) == ("owner", "lan@hoabinh.test")
        firm = (await browser.api("GET", "app/settings")).json()
        assert (firm["name"], firm["slug"], firm["locale"]) == (FIRST["firm"], "xay-dung-hoa-binh", "vi")
        assert (await browser.api("GET", "app/audit/verification")).json()["intact"]
    async with Browser(create_app(empty)) as later:
        assert (await later.form(link, link, FIRST)).status_code == 404
    assert await issue_set_up_link(empty.db, "https://zena.test") is None


async def test_of_many_at_once_one_founds(empty: State) -> None:
    link = await issue_set_up_link(empty.db, "https://zena.test")
    app = create_app(empty)

    async def found(number: int) -> str:
        async with Browser(app) as browser:
            fields = FIRST | {"email": f"owner{number}@hoabinh.test"}
            return str((await browser.client.post(link or "", data=fields)).headers.get("location", ""))

    led_to = await asyncio.gather(*(found(number) for number in range(8)))
    assert led_to.count("/") == 1
    assert set(led_to) <= {"/", "/sign-in", ""}


async def test_a_newer_link_replaces_the_older(empty: State) -> None:
    first = await issue_set_up_link(empty.db, "https://zena.test")
    second = await issue_set_up_link(empty.db, "https://zena.test")
    assert first != second
    async with Browser(create_app(empty)) as browser:
        assert (await browser.get(first or "")).status_code == 404
        assert (await browser.get(second or "")).status_code == 200
