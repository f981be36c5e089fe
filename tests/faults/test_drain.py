"""SIGTERM while people work: what runs is finished, who listens is told, and all is over within the documented time."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
import websockets

from tests.faults.clients import APP
from tests.faults.installation import PATIENCE, Installation, found_firm, installed
from tests.kit.bed import until
from tests.kit.pg import alive
from zena.kit.serving.server import GRACE

pytestmark = pytest.mark.proof

SLOW = 20
SERVICE_RESTART = 1012
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
def site() -> Iterator[Installation]:
    patience = {"ZENA_LOCK_TIMEOUT": "60", "ZENA_STATEMENT_TIMEOUT": "60", "ZENA_POOL_TIMEOUT": "60"}
    with installed(ZENA_POOL_SIZE=str(SLOW + 4), **patience) as made:
        made.start()
        yield made


async def test_F26_twenty_slow_requests_a_socket_and_a_stream_are_brought_to_their_end(site: Installation) -> None:
    (token,) = await found_firm(site, 1)
    bearer = {"authorization": f"Bearer {token}"}
    superuser = await asyncpg.connect(site.urls().superuser, timeout=20)
    everybody = site.pids("all")
    async with httpx.AsyncClient(base_url=site.url, timeout=PATIENCE, headers=bearer) as http:
        project = (await http.post(f"{APP}/projects", json={"name": "Slow", "key": "SLOW"})).json()["id"]
        tenant = (await http.get("/api/v1/me")).json()["tenant"]
        listening = asyncio.create_task(read_stream(http, f"tenant:{tenant}:tasks"))
        async with websockets.connect(f"ws://localhost:{site.port}/ws", additional_headers=bearer) as live:
            await entered(live, token)
            await superuser.execute("BEGIN")
            await superuser.execute("LOCK TABLE task IN SHARE MODE")
            wishes = [
                asyncio.create_task(http.post(f"{APP}/projects/{project}/tasks", json={"name": f"Task {number}"}))
                for number in range(SLOW)
            ]
            await until(lambda: all_wait(superuser), PATIENCE)
            assert site.process is not None
            site.process.terminate()
            assert await closed(live) == SERVICE_RESTART
        assert await asyncio.wait_for(listening, PATIENCE) > 0
        assert not any(wish.done() for wish in wishes)
        released = time.monotonic()
        await superuser.execute("COMMIT")
        answers = await asyncio.wait_for(asyncio.gather(*wishes), PATIENCE)
    assert [answer.status_code for answer in answers] == [201] * SLOW
    assert await asyncio.to_thread(site.process.wait, PATIENCE) == 0
    # Nothing was waited for until its grace was over.
    assert time.monotonic() - released < GRACE
    assert not [pid for pid in everybody if alive(pid)]


async def all_wait(superuser: Any) -> bool:
    return bool(await superuser.fetchval(_WAITING) == SLOW)


async def entered(live: Any, token: str) -> None:
    """Say who we are; return when that was believed."""
    async with asyncio.timeout(PATIENCE):
        await live.send(msgspec.json.encode({"op": "authenticate", "token": token}).decode())
        while msgspec.json.decode(await live.recv())["op"] != "authentication":
            pass


async def closed(live: Any) -> int | None:
    """Return the code with which the other side closes."""
    async with asyncio.timeout(PATIENCE):
        await live.wait_closed()
    code: int | None = live.close_code
    return code


async def read_stream(http: httpx.AsyncClient, channel: str) -> int:
    """Listen to events until the stream ends, properly; return how many bytes came."""
    size = 0
    async with http.stream("GET", f"{APP}/events", params={"channel": channel}) as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_bytes():
            size += len(chunk)
    return size
