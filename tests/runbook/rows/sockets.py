"""Live updates."""

import json
import signal

import httpx

from tests.faults.installation import free_port
from tests.operate.site import until
from tests.runbook.listener import listening
from tests.runbook.live import FIRM, OWNER
from tests.runbook.walk import Walk, row


@row("ps aux | grep websocket")
def processes(walk: Walk) -> None:
    said = walk("zena websocket status")
    assert [one["role"] for one in said.data["processes"] if one["alive"]] == ["web", "web", "websocket"]
    assert said.data["findings"] == []
    assert sum(line.startswith("web ") for line in said.text.splitlines()) == 2


@row("curl http://localhost:8000/api/v1/ws/health")
def health(walk: Walk) -> None:
    found = json.loads(walk.once("curl -s URL/api/v1/ws/health", URL=walk.live.url).text)
    assert (found["ok"], found["stats"]["leaving"]) == (True, False)


@row("is the port open, the firewall")
def own_port(walk: Walk) -> None:
    command = "curl -s http://localhost:PORT/api/v1/ws/health"
    port = walk.live.site.settings["ZENA_WEBSOCKET_PORT"]
    with listening(walk.live, f"ws://localhost:{port}/ws", f"tenant:{walk.live.tenant}:projects"):
        assert json.loads(walk.once(command, PORT=port).text)["stats"]["connections"] == 1
    assert httpx.get(f"http://localhost:{port}/dashboard").status_code == 404, "live connections and nothing else"
    assert walk.once(command, code=7, PORT=free_port()).text == "", "curl says that nothing listens"


@row("channel tenant:${tenantId}:tasks:${taskId}")
def channel(walk: Walk) -> None:
    command = "zena why ws EMAIL CHANNEL"
    asked = f"tenant:{walk.live.tenant}:tasks:{walk.live.task()['id']}"
    with listening(walk.live, walk.live.url.replace("http", "ws") + "/ws", asked):
        said = walk(command, EMAIL=OWNER, CHANNEL=asked)
        assert said.data["broken"] is None
        assert [one["link"] for one in said.data["chain"]][:3] == ["channel", "account", "firm"]
        assert said.text.splitlines()[-1] == "every link holds"
    for wrong, link in (
        (f"tenant:{walk.live.tenant}:nothing", "channel"),
        (f"tenant:{walk.live.tenant_away}:tasks", "firm"),
    ):
        assert walk(command, code=1, EMAIL=OWNER, CHANNEL=wrong).data["broken"] == link


@row("AuthGuard log, tenant_id matches")
def refusals(walk: Walk) -> None:
    refused = walk.live.api("GET", "/api/v1/me", headers={"authorization": "Bearer zat_" + "x" * 43})
    assert refused.status_code == 401
    said = walk("zena logs --channel security --since 1h")
    [line] = [one for one in said.data if one["request_id"] == refused.headers["x-request-id"]]
    assert (line["status"], line["route"]) == (401, "/api/v1/me")
    assert "x" * 43 not in said.text


@row("$user->can('tasks.view')")
def permission(walk: Walk) -> None:
    said = walk("zena why access EMAIL KEY", EMAIL=OWNER, KEY="HBR-1")
    assert said.data["broken"] is None
    [held] = [one for one in said.data["chain"] if one["link"] == "permission"]
    assert held["says"] == "owner holds tasks.view"
    assert f"exists in {FIRM}" in said.text


@row("php artisan websocket:serve")
def serve(walk: Walk) -> None:
    port = free_port()
    started = walk.begin("zena websocket serve --port PORT", PORT=port)
    try:
        until(lambda: _answers(port))
        with listening(walk.live, f"ws://localhost:{port}/ws", f"tenant:{walk.live.tenant}:projects"):
            assert httpx.get(f"http://localhost:{port}/api/v1/ws/health").json()["stats"]["connections"] == 1
    finally:
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == 0
        started.communicate()
    before = walk.live.site.crew()
    told = walk.once("zena restart websocket", as_json=True)
    after = walk.live.site.crew()
    name = "websocket-1"
    assert told.data["processes"] == [{"name": name, "before": before[name], "after": after[name]}]
    assert {one: pid for one, pid in after.items() if one != name} == {
        one: pid for one, pid in before.items() if one != name
    }


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://localhost:{port}/api/v1/ws/health").is_success
    except httpx.TransportError:
        return False
