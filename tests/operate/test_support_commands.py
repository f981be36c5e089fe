"""Visits of support on the command line, on live connections, and when their firm is taken along or deleted."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from tests.accounts.browser import as_ops
from tests.factories import Firm, make_firm
from tests.factories.firms import As
from tests.kit.live import Client
from tests.kit.product import HOST, Product, serving_product
from tests.operate.commands import Terminal
from tests.operate.visiting import REASON, enter, operator_of, owner, told, visit_row
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.tenants import erasing
from zena.operate.tenants.firms import Firm as Row
from zena.settings import Settings


@pytest.fixture
def terminal(urls: ClusterUrls, state: State) -> Terminal:
    return Terminal(urls, state.settings.data_dir)


@pytest.fixture(scope="module")
async def product(settings: Settings) -> AsyncIterator[Product]:
    async with serving_product(settings) as served:
        yield served


async def test_an_operator_lists_visits_and_ends_one(
    terminal: Terminal, state: State, firm: Firm, stranger: Firm, http: httpx.AsyncClient
) -> None:
    operator = await operator_of(state, firm, http)
    visit = await enter(state, operator, stranger)
    await operator.get("/projects")
    listed = json.loads((await terminal("--json", "support", "list", "--open", "--tenant", stranger.slug)).out)
    assert [(one["id"], one["state"], one["opened"], one["reason"]) for one in listed] == [(visit, "open", 1, REASON)]
    text = (await terminal("support", "list", "--tenant", stranger.slug)).out
    assert visit in text
    assert "open" in text
    ended = await terminal("support", "end", visit)
    assert (ended.code, ended.out) == (0, f"the visit to {stranger.slug} has ended\n")
    assert (await operator.get("/api/v1/me")).json()["tenant"] == str(firm.tenant)
    assert (await told(state, visit))[1:] == ["access.support_ended operations"]
    again = await terminal("support", "end", visit)
    assert (again.code, again.out) == (0, f"that visit to {stranger.slug} was over already\n")
    assert (await terminal("support", "list", "--open", "--tenant", stranger.slug)).out == "no visit goes on\n"
    changes = await as_ops(state, "SELECT what FROM ops.change WHERE after ->> 'visit' = :v", v=visit)
    assert [row[0] for row in changes] == ["support end"]


@pytest.mark.parametrize(
    ("words", "code"), [(("end", "nonsense"), 64), (("end", str(new_id())), 65), (("list", "--tenant", "nobody"), 65)]
)
async def test_what_is_not_there_is_refused_in_one_line(terminal: Terminal, words: tuple[str, ...], code: int) -> None:
    ran = await terminal("support", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)


async def test_live_connections_hear_the_firm_and_close_within_two_seconds_of_the_end(
    product: Product, state: State, firm: Firm, stranger: Firm, http: httpx.AsyncClient
) -> None:
    operator = await operator_of(state, firm, http)
    visit = await enter(state, operator, stranger)
    client, opened = await _socket(product, operator)
    async with opened:
        await client.subscribe(f"tenant:{stranger.tenant}:projects")
        await client.say("subscribe", channel=f"tenant:{firm.tenant}:projects")
        assert (await client.hear("error"))["code"] == "cross_tenant"
        made = await owner(stranger, http).post("/api/v1/app/projects", json={"key": "HBR", "name": "Harbour"})
        assert made.status_code == 201
        assert (await client.hear("event"))["type"] == "project.created"
        assert (await owner(stranger, http).delete(f"/api/v1/app/support-visits/{visit}")).status_code == 204
        assert await client.closed(2.0) == 4403


async def test_ones_own_live_connections_close_when_a_visit_begins(
    product: Product, state: State, firm: Firm, stranger: Firm, http: httpx.AsyncClient
) -> None:
    operator = await operator_of(state, firm, http)
    client, opened = await _socket(product, operator)
    async with opened:
        await client.subscribe(f"tenant:{firm.tenant}:projects")
        await enter(state, operator, stranger)
        assert await client.closed(2.0) == 4403


async def test_a_deleted_firm_leaves_nothing_of_its_visits(state: State, firm: Firm, http: httpx.AsyncClient) -> None:
    operator, gone = await operator_of(state, firm, http), await make_firm(state.db)
    visit = await enter(state, operator, gone)
    assert (await visit_row(state, visit)).ended_at is None
    row = Row(gone.tenant, gone.slug, "x", "active", "standard")
    await erasing.begin(state, row, "test", settling=0)
    assert (await operator.get("/api/v1/me")).json()["tenant"] == str(firm.tenant)
    await erasing.erase(state, gone.tenant)
    assert await as_ops(state, "SELECT id FROM support_visit WHERE tenant_id = :t", t=gone.tenant) == []
    assert operator.caller is not None
    pointer = "SELECT visit_id FROM session WHERE id = :s"
    assert (await as_ops(state, pointer, s=operator.caller.session))[0].visit_id is None
    assert (await operator.get("/projects")).status_code == 200


async def _socket(product: Product, who: As) -> tuple[Client, Any]:
    """Open a socket as a browser does: a ticket first."""
    assert who.caller is not None
    headers = {"host": HOST, "x-forwarded-proto": "https", **who.caller.headers}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{product.port}") as http:
        ticket = (await http.post("/api/v1/auth/ticket", headers=headers, json={})).json()["ticket"]
    address: dict[str, Any] = {"host": "127.0.0.1", "port": product.port, "proxy": None}
    opened = await websockets.connect(f"ws://{HOST}/ws", origin=f"https://{HOST}", **address)  # type: ignore[arg-type]  # a NewType of str
    client = Client(opened)
    await client.hear("connection")
    await client.say("authenticate", ticket=ticket)
    await client.hear("authentication")
    return client, opened
