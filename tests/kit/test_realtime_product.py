"""The live connection as the product serves it: ticket, rules of the slices, revocation by what really revokes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

from tests.factories import Firm
from tests.kit.bed import until
from tests.kit.live import Client, as_superuser
from tests.kit.product import HOST, Product, serving_product
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.operate.crossings.checking import check
from zena.settings import Settings


@pytest.fixture(scope="module")
async def product(settings: Settings) -> AsyncIterator[Product]:
    async with serving_product(settings) as served:
        yield served


async def test_a_change_by_one_shows_to_another_within_a_second(product: Product, firm: Firm) -> None:
    async with product.socket(firm) as client:
        await client.subscribe(f"tenant:{firm.tenant}:projects")
        made = await product.send(firm, "owner", "POST", "/api/v1/app/projects", {"key": "HBR", "name": "Harbour"})
        assert made.status_code == 201, made.text
        heard = await client.hear("event", 1.0)
        assert (heard["type"], heard["data"]["subject_type"]) == ("project.created", "project")


async def test_G02_another_firms_channel_is_refused_and_audited_once(
    product: Product, firm: Firm, stranger: Firm, urls: ClusterUrls
) -> None:
    for _ in range(2):
        async with product.socket(firm) as client:
            for tenant in (stranger.tenant, stranger.tenant, new_id()):
                await client.say("subscribe", channel=f"tenant:{tenant}:tasks")
                assert (await client.hear("error"))["code"] == "cross_tenant"
    waiting = "SELECT count(*) FROM ops.sought WHERE tenant = $1"

    async def written() -> bool:
        return await as_superuser(urls, waiting, firm.tenant) == 3

    await until(written)  # each process writes what it noted every two seconds
    await check(product.state)
    audited = "SELECT count(*) FROM audit_entry WHERE tenant_id = $1 AND action = 'access.cross_tenant_refused'"
    assert await as_superuser(urls, audited, firm.tenant) == 1


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE session SET revoked_at = now() WHERE id = $1", 4401),
        ("UPDATE session SET expires_at = now() WHERE id = $1", 4401),
        ("DELETE FROM session WHERE id = $1", 4401),
        ("UPDATE user_account SET is_active = false WHERE id = (SELECT user_id FROM session WHERE id = $1)", 4401),
        ("UPDATE membership SET role = 'viewer' WHERE user_id = (SELECT user_id FROM session WHERE id = $1)", 4403),
        ("UPDATE membership SET ended_at = now() WHERE user_id = (SELECT user_id FROM session WHERE id = $1)", 4403),
        ("UPDATE tenant SET status = 'suspended' WHERE id = (SELECT active_tenant FROM session WHERE id = $1)", 4403),
    ],
)
async def test_G03_whatever_takes_the_right_away_closes_the_socket_within_two_seconds(
    product: Product, firm: Firm, urls: ClusterUrls, sql: str, code: int
) -> None:
    caller = firm.people["member"]  # type: ignore[index]  # Role is a StrEnum
    async with product.socket(firm) as client:
        await client.subscribe(f"tenant:{firm.tenant}:tasks")
        await as_superuser(urls, sql, caller.session)
        assert await client.closed(2.0) == code


async def test_a_ticket_is_good_for_one_socket(product: Product, firm: Firm) -> None:
    answer = await product.send(firm, "member", "POST", "/api/v1/auth/ticket", {})
    ticket = answer.json()["ticket"]
    address: dict[str, Any] = {"host": "127.0.0.1", "port": product.port, "proxy": None}
    codes = []
    for _ in range(2):
        async with websockets.connect(f"ws://{HOST}/ws", origin=f"https://{HOST}", **address) as opened:  # type: ignore[arg-type]  # a NewType of str
            client = Client(opened)
            await client.say("authenticate", ticket=ticket)
            await client.hear("connection")
            try:
                codes.append((await client.hear())["op"])
            except websockets.ConnectionClosed:
                codes.append("closed")
    assert codes == ["authentication", "error"]
