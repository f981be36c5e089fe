"""Processes for live connections alone, from outside: two, and a web process, killed and restarted; nothing is lost."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import websockets

from tests.cli.run import zena
from tests.factories import make_firm
from tests.faults.clients import APP
from tests.faults.installation import PATIENCE, Installation, found_firm, free_port, installed, operations, wait
from tests.kit.bed import until
from tests.kit.live import Client
from zena.accounts.permissions import Role
from zena.kit.db import Database, DatabaseOptions
from zena.kit.exits import Exit
from zena.kit.supervisor.wish import read_note

pytestmark = pytest.mark.proof  # real processes, many times over

EMAIL, PASSWORD = "an@kill.test", "gantry-mortar-17"


@dataclass
class Site:
    """An installation whose supervisor keeps one socket process, on port `first`; another stands alone."""

    house: Installation
    token: str
    tenant: str
    first: int
    second: int
    alone: Any

    @property
    def ports(self) -> tuple[int, int, int]:
        return self.first, self.second, self.house.port

    @property
    def channel(self) -> str:
        return f"tenant:{self.tenant}:projects"

    @asynccontextmanager
    async def listening(self, port: int, since: int | None = None) -> AsyncIterator[Client]:
        async with self.entered(port, token=self.token) as client:
            await client.subscribe(self.channel, since)
            yield client

    @asynccontextmanager
    async def entered(self, port: int, **proof: str) -> AsyncIterator[Client]:
        url = f"ws://localhost:{port}/ws"
        async with websockets.connect(url, origin=self.house.url, proxy=None) as opened:  # type: ignore[arg-type]  # a NewType of str
            client = Client(opened)
            await client.hear("connection")
            await client.say("authenticate", **proof)
            await client.hear("authentication")
            yield client

    async def happen(self, name: str) -> None:
        headers = {"authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=self.house.url, headers=headers, timeout=PATIENCE) as http:
            made = await http.post(f"{APP}/projects", json={"name": name, "key": name})
            assert made.status_code == 201, made.text

    def run(self, *words: str) -> Any:
        return zena(*words, module="zena", ZENA_DATA_DIR=self.house.data, ZENA_PORT=self.house.port)


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    first, second = free_port(), free_port()
    with installed(ZENA_WEBSOCKET_PROCESSES="1", ZENA_WEBSOCKET_PORT=str(first)) as house:
        house.start()
        await asyncio.to_thread(house.wait_until_up)
        (token,) = await found_firm(house, 1)
        me = (await fetch(f"{house.url}/api/v1/me", authorization=f"Bearer {token}")).json()
        alone = house.command("websocket", "serve", "--port", str(second))
        made = Site(house, token, me["tenant"], first, second, alone)
        for port in (first, second):
            await asyncio.to_thread(wait_until_served, port)
        yield made


async def fetch(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        return await http.get(url, headers=headers)


def wait_until_served(port: int) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"http://localhost:{port}/api/v1/ws/health", timeout=5).is_success
        except httpx.TransportError:
            return False

    wait(answers, lambda: f"nobody takes live connections on port {port}")


async def test_what_the_web_process_writes_is_heard_at_every_process_within_a_second(site: Site) -> None:
    first, second, web = site.ports
    async with site.listening(first) as one, site.listening(second) as two, site.listening(web) as three:
        await site.happen("HEARD")
        heard = await asyncio.gather(*(client.hear("event", 1.0) for client in (one, two, three)))
    assert [event["type"] for event in heard] == ["project.created"] * 3


async def test_it_serves_live_connections_alone_and_pages_are_told_where(site: Site) -> None:
    policy = (await fetch(f"{site.house.url}/sign-in")).headers["content-security-policy"]
    assert f"ws://localhost:{site.first}" in policy
    for path, status in (("/sign-in", 404), (f"{APP}/projects", 404), ("/api/v1/health/live", 200)):
        assert (await fetch(f"http://localhost:{site.second}{path}")).status_code == status, path
    stats = (await fetch(f"http://localhost:{site.second}/api/v1/ws/health")).json()["stats"]
    assert stats["connections"] == 0
    for origin in ("https://evil.example", "null", f"{site.house.url}.evil.example"):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(f"ws://localhost:{site.second}/ws", origin=origin, proxy=None):  # type: ignore[arg-type]  # a NewType of str
                pass
        assert refused.value.response.status_code == 403
    taken = await asyncio.to_thread(site.run, "websocket", "serve", "--port", str(site.second))
    assert (taken.code, taken.err.count("\n")) == (Exit.CONFIG, 1), taken.err
    assert f"port {site.second} is taken" in taken.err
    assert "--port" in taken.err


async def test_signing_out_at_the_web_process_closes_the_sockets_of_every_process(site: Site) -> None:
    headers = {"sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient(base_url=site.house.url, headers=headers, timeout=PATIENCE) as http:
        answer = await http.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        http.headers["cookie"] = answer.headers["set-cookie"].partition(";")[0]
        tickets = [(await http.post("/api/v1/auth/ticket", json={})).json()["ticket"] for _ in range(3)]
        first, second, web = site.ports
        async with (
            site.entered(first, ticket=tickets[0]) as one,
            site.entered(second, ticket=tickets[1]) as two,
            site.entered(web, ticket=tickets[2]) as three,
        ):
            assert (await http.post("/api/v1/auth/logout")).status_code == 204
            codes = await asyncio.gather(*(client.closed(2.0) for client in (one, two, three)))
    assert codes == [4401] * 3


async def test_the_eleventh_connection_of_one_person_is_refused_at_whichever_process(site: Site) -> None:
    async with AsyncExitStack() as held:
        for number in range(10):
            await held.enter_async_context(site.entered(site.ports[number % 3], token=site.token))
        for port in site.ports:
            assert await refused(site, port) == ("connection_limit", 1013)
    async with site.entered(site.first, token=site.token):
        pass  # those who leave are counted no more


async def test_twenty_at_once_at_three_processes_are_ten(site: Site) -> None:
    await settled(site)
    async with AsyncExitStack() as held:
        tries = [
            held.enter_async_context(site.entered(site.ports[number % 3], token=site.token)) for number in range(20)
        ]
        came = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(one, Client) for one in came) == 10


async def test_the_connections_of_a_killed_process_count_no_more_within_five_seconds(site: Site) -> None:
    await settled(site)
    note = read_note(site.house.data / "serve.json")
    assert note is not None
    async with AsyncExitStack() as held:
        lost = [await held.enter_async_context(site.entered(site.first, token=site.token)) for _ in range(10)]
        assert await refused(site, site.second) == ("connection_limit", 1013)
        os.kill(note["crew"]["websocket-1"], signal.SIGKILL)
        killed = time.monotonic()
        assert [await client.closed() for client in lost] == [1006] * 10
        while (answer := await refused(site, site.second)) is not None:
            assert answer == ("connection_limit", 1013)
            assert time.monotonic() - killed < 10
            await asyncio.sleep(0.2)
        print(f"counted for {time.monotonic() - killed:.1f} s after the kill")
        again = [await held.enter_async_context(site.entered(site.second, token=site.token)) for _ in range(10)]
        assert len(again) == 10
    await asyncio.to_thread(wait_until_served, site.first)


async def refused(site: Site, port: int) -> tuple[str, int] | None:
    """Return the error and close code with which one more is not let in; None when it is."""
    async with websockets.connect(f"ws://localhost:{port}/ws", origin=site.house.url, proxy=None) as opened:  # type: ignore[arg-type]  # a NewType of str
        late = Client(opened)
        await late.hear("connection")
        await late.say("authenticate", token=site.token)
        said = await late.hear()
        return None if said["op"] == "authentication" else (said["code"], await late.closed())


async def settled(site: Site) -> None:
    """Wait until nobody of those before is counted any more."""
    ops = await operations(site.house)

    async def nobody() -> bool:
        return not bool(await ops.fetchval("SELECT count(*) FROM ops.live_seat"))

    try:
        await until(nobody)
    finally:
        await ops.close()


@pytest.mark.parametrize(
    ("how", "code"), [("role", 4401), ("removed", 4403), ("deactivated", 4401), ("suspended", 4403)]
)
async def test_whatever_takes_the_right_away_closes_at_every_process_within_two_seconds(
    site: Site, how: str, code: int
) -> None:
    db = Database(DatabaseOptions(site.house.urls().app))
    try:
        firm = await make_firm(db, roles=(Role.OWNER, Role.MEMBER))
    finally:
        await db.stop()
    owner, member = firm.people[Role.OWNER], firm.people[Role.MEMBER]
    async with AsyncExitStack() as held:
        http = await held.enter_async_context(httpx.AsyncClient(base_url=site.house.url, timeout=PATIENCE))
        clients = []
        for port in site.ports:
            ticket = await http.post("/api/v1/auth/ticket", json={}, headers=member.headers)
            client = await held.enter_async_context(site.entered(port, ticket=ticket.json()["ticket"]))
            await client.subscribe(f"tenant:{firm.tenant}:projects")
            clients.append(client)
        closing = asyncio.gather(*(moment(client) for client in clients))
        one = f"{APP}/members/{member.member}"
        if how == "role":
            version = (await http.get(one, headers=owner.headers)).headers["etag"]
            body, sent = {"role": "viewer"}, owner.headers | {"if-match": version}
            assert (await http.patch(one, json=body, headers=sent)).status_code == 200
        elif how == "removed":
            assert (await http.delete(one, headers=owner.headers)).status_code == 204
        elif how == "deactivated":
            done = await asyncio.to_thread(site.run, "user", "deactivate", member.email, "--yes")
            assert done.code == 0, done.err
        else:
            done = await asyncio.to_thread(site.run, "tenant", "suspend", firm.slug, "--reason", "a test")
            assert done.code == 0, done.err
        revoked = time.monotonic()
        ended = await closing
    late = max(at for at, _ in ended) - revoked
    print(f"{how}: the last of three closed {late * 1000:.0f} ms after the answer")
    assert [found for _, found in ended] == [code] * 3
    assert late < 2.0


async def moment(client: Client) -> tuple[float, int]:
    code = await client.closed(PATIENCE)
    return time.monotonic(), code


async def test_whoever_loses_a_killed_process_catches_up_at_the_other(site: Site) -> None:
    names = [f"K{number}" for number in range(12)]
    note = read_note(site.house.data / "serve.json")
    assert note is not None
    seen: list[dict[str, Any]] = []
    begun = await position_of(site)
    async with site.listening(site.first, begun) as client:
        writing = asyncio.create_task(write(site, names))
        while len(seen) < 3:
            seen.append(await client.hear("event", PATIENCE))
        os.kill(note["crew"]["websocket-1"], signal.SIGKILL)
        assert await client.closed() == 1006  # what was on its way and is not kept here has to come again
    async with site.listening(site.second, seen[-1]["position"]) as client:
        await writing
        head = await position_of(site)
        while seen[-1]["position"] < head:
            seen.append(await client.hear("event", PATIENCE))
    assert [told["position"] for told in seen] == list(range(begun + 1, head + 1))
    assert sum(told["type"] == "project.created" for told in seen) == len(names)
    await asyncio.to_thread(wait_until_served, site.first)  # the supervisor has started another


async def write(site: Site, names: list[str]) -> None:
    for name in names:
        await site.happen(name)


async def position_of(site: Site) -> int:
    async with site.listening(site.second) as client:
        await client.say("ping")
        return int((await client.hear("pong"))["position"])


async def test_a_restart_sends_everybody_on_with_a_pause(site: Site) -> None:
    async with site.listening(site.first) as one, site.listening(site.first) as two:
        done = await asyncio.to_thread(site.run, "restart", "websocket", "--json")
        assert done.code == 0, done.err
        assert [row["name"] for row in json.loads(done.out)["processes"]] == ["websocket-1"]
        for client in (one, two):
            said = await client.hear("error")
            assert (said["code"], 0 < said["retry_after"] <= 30) == ("restarting", True)
            assert await client.closed() == 1012
    async with site.listening(site.first):
        pass  # the successor was there before the old one left


async def test_a_process_that_is_asked_to_end_tells_everybody_and_ends_in_time(site: Site) -> None:
    async with site.listening(site.second) as one, site.listening(site.second) as two:
        began = time.monotonic()
        site.alone.terminate()
        assert [await client.closed() for client in (one, two)] == [1012, 1012]
        assert await asyncio.to_thread(site.alone.wait, 25) == 0
        assert time.monotonic() - began < 10
    shown = await asyncio.to_thread(site.run, "websocket", "status", "--json")
    assert shown.code == Exit.OK, shown.out
    kept = {(one["role"], one["alive"]) for one in json.loads(shown.out)["processes"]}
    assert {("web", True), ("websocket", True)} <= kept
