"""What is told of the installation's health, to whom, and that it is true."""

import httpx
import pytest
from pydantic import SecretStr

from tests.conftest import PUBLIC_URL
from tests.factories import Firm
from zena.kit.clock import SystemClock
from zena.kit.state import State
from zena.main import build_state, create_app, started
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests
from zena.settings import Settings

DETAIL = {"database", "cache", "disk", "worker", "live_updates", "logs"}


@pytest.fixture
async def here(state: State) -> httpx.AsyncClient:
    """Somebody on this very machine."""
    transport = httpx.ASGITransport(app=create_app(state), client=("127.0.0.1", 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


async def test_who_is_here_sees_every_dependency_and_a_silent_worker(state: State, here: httpx.AsyncClient) -> None:
    before = (await here.get("/api/v1/health")).json()
    assert {one["name"] for one in before["dependencies"]} == DETAIL
    assert (before["ok"], before["status"]) in {(True, "degraded"), (True, "ok")}
    assert await Flusher(state, Recorder(Requests()), "worker").flush()
    after = (await here.get("/api/v1/health")).json()
    worker = next(one for one in after["dependencies"] if one["name"] == "worker")
    assert (worker["ok"], after["status"]) == (True, "ok")
    assert next(one for one in after["dependencies"] if one["name"] == "database")["latency_ms"] < 1000


async def test_others_learn_only_whether_it_serves(http: httpx.AsyncClient, firm: Firm) -> None:
    for path in ("/api/v1/health", "/api/v1/health/ready"):
        assert (await http.get(path)).json() == {"ok": True, "status": "ok"}
    assert (await http.get("/api/v1/health/detail")).status_code == 401
    assert (await firm.client(http).get("/api/v1/health/detail")).status_code == 403


async def test_live_connections_are_counted_for_who_may_know(http: httpx.AsyncClient, here: httpx.AsyncClient) -> None:
    assert (await http.get("/api/v1/ws/health")).json() == {"ok": True, "status": "ok"}
    stats = (await here.get("/api/v1/ws/health")).json()["stats"]
    assert {"connections", "tenants", "subscriptions", "hears_the_bell"} <= stats.keys()


async def test_without_a_database_it_says_so_and_still_lives(settings: Settings) -> None:
    nowhere = "postgresql://zena_app@/zena?host=/nowhere"
    state = build_state(settings.model_copy(update={"database_url": SecretStr(nowhere)}), clock=SystemClock())
    transport = httpx.ASGITransport(app=create_app(state), client=("127.0.0.1", 4711))
    async with started(state), httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        answer = await client.get("/api/v1/health")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (answer.json()["ok"], answer.json()["status"]) == (False, "unavailable")
        assert (await client.get("/api/v1/health/ready")).status_code == 503
        assert (await client.get("/api/v1/health/live")).status_code == 200
        far = await client.get("/api/v1/health", headers={"host": PUBLIC_URL.removeprefix("https://")})
        assert far.json() == {"ok": False, "status": "unavailable"}
