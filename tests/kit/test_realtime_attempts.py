"""Each attempt to open a live connection is counted once, by what it came to."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from tests.factories import Firm
from tests.kit.product import HOST, Product, serving_product
from zena.settings import Settings

KEY = {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13"}


@pytest.fixture(scope="module")
async def product(settings: Settings) -> AsyncIterator[Product]:
    async with serving_product(settings.model_copy(update={"websocket_connections": 1})) as served:
        yield served


@pytest.fixture
def came_to(product: Product) -> Counter[str]:
    """Attempts of this test by what they came to."""
    counted: Counter[str] = Counter()

    def hear(what: str, code: str) -> None:
        if what == "enter":
            counted[code] += 1

    product.state.telemetry.on_live[:] = [hear]
    return counted


async def knock(product: Product, first: str = "", **headers: str) -> None:
    """Open a socket as somebody's browser does, say one thing, and wait for the end."""
    origin: Any = headers.pop("origin", f"https://{HOST}")
    address: dict[str, Any] = {"host": "127.0.0.1", "port": product.port, "proxy": None}
    try:
        async with websockets.connect(
            f"ws://{HOST}/ws", origin=origin, additional_headers=headers, **address
        ) as opened:
            await opened.recv()
            if first:
                await opened.send(first)
                await opened.wait_closed()
    except (websockets.InvalidStatus, websockets.ConnectionClosed):
        pass


async def test_whoever_is_let_in_is_counted_and_the_next_of_a_full_firm_too(
    product: Product, firm: Firm, came_to: Counter[str]
) -> None:
    async with product.socket(firm):
        ticket = (await product.send(firm, "member", "POST", "/api/v1/auth/ticket", {})).json()["ticket"]
        await knock(product, f'{{"op": "authenticate", "ticket": "{ticket}"}}')
    await knock(product, f'{{"op": "authenticate", "ticket": "{ticket}"}}')
    assert came_to == {"in": 1, "firm_full": 1, "ticket": 1}


async def test_who_does_not_say_who_they_are_is_told_from_who_says_it_wrongly(
    product: Product, came_to: Counter[str]
) -> None:
    await knock(product, '{"op": "authenticate", "token": "zna_nobody"}')
    await knock(product, '{"op": "authenticate"}')
    await knock(product)
    assert came_to == {"token": 1, "silent": 1, "left": 1}


async def test_a_page_of_ours_at_another_address_is_told_from_a_foreign_one(
    product: Product, firm: Firm, came_to: Counter[str]
) -> None:
    cookie = firm.people["member"].headers["cookie"]  # type: ignore[index]  # Role is a StrEnum
    await knock(product, origin="https://old.zena.test", cookie=cookie)
    await knock(product, origin="https://evil.test")
    assert came_to == {"origin": 1, "foreign": 1}


async def test_what_a_proxy_made_of_a_socket_is_told_from_a_look_at_the_address(
    product: Product, firm: Firm, came_to: Counter[str]
) -> None:
    cookie = {"cookie": firm.people["member"].headers["cookie"]}  # type: ignore[index]  # Role is a StrEnum
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{product.port}") as http:
        for headers in (
            KEY | cookie,
            KEY | {"origin": f"https://{HOST}"},
            KEY,
            cookie,
            KEY | {"origin": "https://evil.test"},
        ):
            answer = await http.get("/ws", headers={"host": HOST, "x-forwarded-proto": "https", **headers})
            assert answer.status_code == 405
        await http.get("/", headers={"host": HOST, **KEY, **cookie})
    assert came_to == {"no_upgrade": 2}


async def test_during_maintenance_and_at_the_end_nobody_is_failed_by_us(
    product: Product, firm: Firm, came_to: Counter[str]
) -> None:
    product.hub.close(closed=True)
    await knock(product)
    product.hub.close(closed=False)
    product.hub.is_leaving = True
    ticket = (await product.send(firm, "viewer", "POST", "/api/v1/auth/ticket", {})).json()["ticket"]
    await knock(product, f'{{"op": "authenticate", "ticket": "{ticket}"}}')
    product.hub.is_leaving = False
    assert came_to == {"closed": 1, "leaving": 1}
