"""How live connections stand: what a process says of itself, and why somebody hears nothing, link by link."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from tests.factories import Firm
from tests.kit.bed import until
from tests.kit.product import Product, serving_product
from tests.operate.commands import Terminal
from tests.operate.console import make_operator
from zena.accounts.permissions import Role
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.realtime import processes
from zena.operate.realtime.reasons import reasons
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests
from zena.settings import Settings


@pytest.fixture(scope="module")
async def product(settings: Settings) -> AsyncIterator[Product]:
    async with serving_product(settings.model_copy(update={"telemetry": False})) as served:
        yield served


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(urls.ops)
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    await connection.execute("DELETE FROM ops.heartbeat")
    yield connection
    await connection.execute("DELETE FROM ops.heartbeat")
    await connection.close()


async def chain(state: State, ops: Any, firm: Firm, role: str, name: str, slug: str | None = None) -> dict[str, Any]:
    """Return the links, with the first broken one as `broken` and what it says as `says`."""
    email = firm.people[Role(role)].email
    links = [link async for link in reasons(state, ops, email=email, name=name, firm=slug)]
    broken = next((link for link in links if not link[1]), None)
    return {"broken": broken and broken[0], "says": broken[2] if broken else links[-1][2], "links": links}


async def sign_of_life(product: Product, role: str = "websocket") -> None:
    flusher = Flusher(product.state, Recorder(Requests()), role)
    assert await flusher.flush()
    await flusher._drop()


async def test_what_never_could_be_heard_is_named(state: State, ops: Any, firm: Firm, stranger: Firm) -> None:
    tasks = f"tenant:{firm.tenant}:tasks"
    wanted = (
        ("member", "tasks", None, "channel", "no such channel"),
        ("member", f"{tasks}:a b", None, "channel", "no such channel"),
        ("member", f"tenant:{firm.tenant}:moods", None, "channel", "dashboard, projects, tasks"),
        ("member", f"tenant:{stranger.tenant}:tasks", None, "firm", f"cross_tenant: the channel is {stranger.slug}'s"),
        ("member", f"tenant:{new_id()}:tasks", None, "firm", "no firm"),
        ("member", tasks, stranger.slug, "firm", f"a connection in {stranger.slug} may not hear it"),
        ("client", f"tenant:{firm.tenant}:dashboard", None, "permission", "reports.view"),
        ("member", f"{tasks}:{new_id()}", None, "object", "not_found"),
    )
    for role, name, slug, link, word in wanted:
        found = await chain(state, ops, firm, role, name, slug)
        assert (found["broken"], word in found["says"]) == (link, True), found
    await ops.execute("UPDATE tenant SET status = 'suspended' WHERE id = $1", firm.tenant)
    assert (await chain(state, ops, firm, "member", tasks))["broken"] == "firm is served"
    user = firm.people[Role.MEMBER].user
    await ops.execute("UPDATE membership SET ended_at = now() WHERE user_id = $1", user)
    assert (await chain(state, ops, firm, "member", tasks))["broken"] == "firm"
    await ops.execute("UPDATE user_account SET is_active = false WHERE id = $1", user)
    assert (await chain(state, ops, firm, "member", tasks))["broken"] == "account"


async def test_what_is_heard_just_now_is_asked_of_the_processes(
    product: Product, ops: Any, firm: Firm, urls: ClusterUrls
) -> None:
    state, tasks = product.state, f"tenant:{firm.tenant}:tasks"
    async with product.socket(firm) as client, product.socket(firm, "owner") as other:
        await client.subscribe(tasks)
        await other.say("subscribe", channel=f"tenant:{new_id()}:tasks")
        assert (await other.hear("error"))["code"] == "cross_tenant"
        async with product.socket(firm, "viewer"):
            pass
        await until(lambda: asyncio.sleep(0, len(product.hub.members) == 2))
        await sign_of_life(product)
        await ops.execute(
            "INSERT INTO ops.heartbeat (process, role, host, pid, release, started_at, seen_at, facts)"
            " SELECT $1, 'websocket', 'elsewhere', 7, release, started_at, now(), facts FROM ops.heartbeat"
            " WHERE facts ? 'live' ORDER BY seen_at DESC LIMIT 1",
            new_id(),
        )
        found = [await chain(state, ops, firm, "member", tasks)]
        await ops.execute("DELETE FROM ops.heartbeat WHERE host = 'elsewhere'")
        second = await asyncpg.connect(urls.ops)
        await second.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        both = (chain(state, ops, firm, "owner", tasks), chain(state, second, firm, "viewer", tasks))
        found += await asyncio.gather(*both)
        await second.close()
    assert [one["broken"] for one in found] == [None, "subscribed", "connected"]
    links = {name: says for name, _, says in found[0]["links"]}
    assert "NO ANSWER from websocket elsewhere pid 7" in links["connected"]
    assert "1 socket by session at web" in links["connected"]
    assert "told up to" in links["last event passed"]
    assert "refused cross_tenant" in found[1]["says"]
    # How many processes: that of the other tests may have given a sign of life too.
    assert re.search(r"no open connection at [1-9]\d* processes", found[2]["says"])
    assert "closed 1000" in found[2]["says"]
    assert await ops.fetchval("SELECT count(*) FROM ops.live_question") == 0


async def test_the_standing_is_shown_by_command_endpoint_and_console(
    product: Product, ops: Any, firm: Firm, urls: ClusterUrls, state: State, http: httpx.AsyncClient
) -> None:
    terminal = Terminal(urls, state.settings.data_dir)

    async def nobody() -> bool:
        # The process of all tests says every ten seconds that it is there.
        await ops.execute("DELETE FROM ops.heartbeat")
        told = await terminal("websocket", "status")
        return (told.code, "! no process reports" in told.out) == (Exit.FINDING, True)

    await until(nobody, 30)
    async with product.socket(firm) as client:
        await client.subscribe(f"tenant:{firm.tenant}:tasks")
        await until(lambda: asyncio.sleep(0, product.hub.tail.hears))
        await sign_of_life(product)
        told = await terminal("websocket", "status", "--json")
        assert told.code == Exit.OK, told.out
        found = json.loads(told.out)
        assert found["totals"] == {"connections": 1, "streams": 0, "subscriptions": 1, "unauthenticated": 0}
        assert found["firms"] == [{"tenant": str(firm.tenant), "connections": 1, "slug": firm.slug}]
        health = await product.send(firm, "member", "GET", "/api/v1/ws/health")
        assert health.json() == {"ok": True, "status": "ok"}, "who is no operator learns nothing more"
        page = await (await make_operator(state, firm, http)).get("/ops/realtime")
        assert page.status_code == 200
        assert str(firm.tenant) in page.text
        assert firm.people[Role.MEMBER].email not in page.text


async def test_what_needs_a_person_is_a_finding(product: Product, ops: Any, firm: Firm) -> None:
    async with product.socket(firm) as client:
        await client.subscribe(f"tenant:{firm.tenant}:tasks")
        await until(lambda: asyncio.sleep(0, product.hub.tail.hears))
        await sign_of_life(product)
        assert (await processes.live(ops))["findings"] == []

        async def after(change: str) -> str:
            await ops.execute(f"UPDATE ops.heartbeat SET {change}")  # noqa: S608 - the texts below
            return " ".join((await processes.live(ops))["findings"])

        assert "takes no more of firm" in await after("""facts = jsonb_set(facts, '{live,firm_limit}', '1')""")
        assert "is not woken" in await after("""facts = jsonb_set(facts, '{live,hears_the_bell}', 'false')""")
        assert "not read the outbox for 60 s" in await after("facts = jsonb_set(facts, '{live,tail_seconds}', '60')")
        assert "fell silent" in await after("seen_at = now() - interval '1 minute'")
