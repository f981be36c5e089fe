"""A process that turns and is good for nothing: named, replaced, and nobody else is touched."""

import json
import resource
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import psutil
import pytest

from tests.faults.installation import free_port, wait
from tests.kit.pg import ask, open_folder
from tests.operate.remedied import Ward, warded
from tests.operate.site import Site, until
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls, urls_of_running
from zena.kit.exits import Exit
from zena.kit.state import State
from zena.operate.remedies.contract import Refused
from zena.operate.remedies.processes import REPLACE_PROCESS
from zena.operate.remedies.runner import Aim, planned
from zena.operate.symptoms.catalogue import BY_ID

AT = datetime(2031, 4, 9, 6, 0, tzinfo=UTC)
CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE '{}%'"
OPEN = "SELECT max(id) FROM ops.incident WHERE symptom = '{}' AND closed_at IS NULL"
#: No file descriptor is left, as after a leak: what is open works on, nothing new can be opened.
NONE_LEFT = 3


@dataclass
class House:
    """An installation with a process for live connections alone, at a pace of seconds, and somebody who listens."""

    site: Site
    port: int
    cookie: str = ""
    tenant: str = ""
    heard: list[str] = field(default_factory=list)

    def ops(self, *statements: str) -> Any:
        urls = urls_of_running(self.site.folder)
        assert urls is not None
        return ask(urls.superuser, *statements)

    def enter(self) -> None:
        entered = httpx.post(self.site.said[1].split()[-1], headers={"origin": self.site.url})
        self.cookie = entered.headers["set-cookie"].partition(";")[0]
        me = httpx.get(f"{self.site.url}/api/v1/me", headers={"cookie": self.cookie})
        self.tenant = me.json()["tenant"]

    @contextmanager
    def listening(self) -> Iterator[threading.Event]:
        """Listen to the tasks of the firm until the other side ends it, which sets the event."""
        begun, over = threading.Event(), threading.Event()
        address = f"http://localhost:{self.port}/api/v1/app/events"

        def listen() -> None:
            wanted = {"channel": f"tenant:{self.tenant}:tasks"}
            try:
                with httpx.stream("GET", address, params=wanted, headers={"cookie": self.cookie}, timeout=60) as answer:
                    assert answer.status_code == 200
                    for piece in answer.iter_text():
                        begun.set()
                        self.heard.append(piece)
            except httpx.HTTPError:
                pass
            over.set()

        threading.Thread(target=listen, daemon=True).start()
        assert begun.wait(20)
        yield over

    def choke(self, pid: int, sessions: str) -> None:
        """Leave a process without a file descriptor, and cut its sessions: it cannot dial again."""
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (NONE_LEFT, hard))
        self.ops(CUT.format(sessions))

    def plan(self, symptom: str) -> dict[str, Any] | None:
        """Plan for an incident of this symptom, once there is one."""
        number = self.ops(OPEN.format(symptom))
        if number is None:
            return None
        ran = self.site.run("runbook", "plan", "replace_process", "--incident", str(number), "--json")
        return json.loads(ran.out) | {"incident": number} if ran.code == Exit.OK else None

    def apply(self, plan: dict[str, Any]) -> dict[str, Any]:
        words = ("--plan", plan["hash"], "--incident", str(plan["incident"]), "--json")
        ran = self.site.run("runbook", "apply", "replace_process", *words)
        assert ran.code == Exit.OK, ran
        return dict(json.loads(ran.out))


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with open_folder("zp-") as folder:
        port = free_port()
        settings: dict[str, object] = {
            "ZENA_ENV": "lab", "ZENA_PACE": 0.05, "ZENA_AUTOMATIC": "none", "ZENA_WEBSOCKET_PROCESSES": 1,
            "ZENA_WEBSOCKET_PORT": port, "ZENA_RATE_ANONYMOUS": 1_000_000,
        }  # fmt: skip
        made = House(Site(folder, settings), port)
        with made.site.serving("--demo"):
            made.enter()
            until(lambda: "worker-1" in made.site.crew())  # it starts when the others take work
            yield made


def found(look: Callable[[], Any], seconds: float) -> Any:
    """Return the first true answer."""
    return wait(look, lambda: "it did not happen", seconds)


@pytest.mark.proof
def test_a_process_that_cannot_read_on_is_replaced_and_its_listeners_come_again(house: House) -> None:
    before = house.site.crew()
    with house.listening() as over:
        house.choke(before["websocket-1"], "zena-web")
        plan = found(lambda: house.plan("W2"), 60)
        assert plan["touches"] == {"processes": 1, "live connections": 1, "firms": 1}
        assert house.site.crew() == before, "a plan does nothing"
        assert psutil.pid_exists(before["websocket-1"]), "it gives signs of life: its supervisor lets it be"
        done = house.apply(plan)
        assert over.wait(10), "who listened was sent on"
    after = house.site.crew()
    assert done["verdict"] in {"fixed", "improved"}, done
    assert {name: pid == after[name] for name, pid in before.items()} == {
        "web-1": True, "worker-1": True, "websocket-1": False,
    }  # fmt: skip
    assert not psutil.pid_exists(before["websocket-1"])
    with house.listening():
        pass


@pytest.mark.proof
def test_a_worker_that_says_nothing_any_more_is_replaced(house: House) -> None:
    before = house.site.crew()
    house.choke(before["worker-1"], "zena-telemetry")
    plan = found(lambda: house.plan("Q1"), 90)
    assert plan["touches"]["processes"] == 1
    assert house.apply(plan)["verdict"] in {"fixed", "improved"}
    after = house.site.crew()
    assert [name for name in before if before[name] != after[name]] == ["worker-1"]


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made
        await day.conn.execute("DELETE FROM ops.heartbeat WHERE pid < 0 OR release = 'told'")


async def stuck(ward: Ward, pid: int, host: str = "", role: str = "websocket") -> Aim:
    """Let a process say that it has not read on for a minute."""
    live = {
        "connections": 3, "streams": 0, "subscriptions": 3, "unauthenticated": 0, "tenants": 2, "firms": {},
        "firm_limit": 50, "tail_seconds": 61.0, "hears_the_bell": True,
    }  # fmt: skip
    host = host or socket.gethostname()
    await ward.day.conn.execute(
        "INSERT INTO ops.heartbeat (process, role, host, pid, release, started_at, seen_at, facts)"
        " VALUES (gen_random_uuid(), $1, $2, $3, 'told', now(), now(), $4)",
        role, host, pid, {"live": live},
    )  # fmt: skip
    return Aim(scope=f"{role} {host} pid {pid}")


async def test_what_is_elsewhere_gone_or_not_ours_to_start_is_left_alone(ward: Ward) -> None:
    with pytest.raises(Refused, match=r"websocket elsewhere pid 7 is on another machine"):
        await planned(ward.hand, REPLACE_PROCESS, await stuck(ward, 7, "elsewhere"))
    with pytest.raises(Refused, match="gone already"):
        await planned(ward.hand, REPLACE_PROCESS, await stuck(ward, 2**22 + 1))
    with pytest.raises(Refused, match="what systemd or a container keeps is restarted there"):
        await planned(ward.hand, REPLACE_PROCESS, await stuck(ward, 1))


async def test_several_at_once_are_not_the_fault_of_one(ward: Ward) -> None:
    for pid in range(-5, -1):
        await stuck(ward, pid)
    with pytest.raises(Refused, match="4 processes at once: look at the database"):
        await planned(ward.hand, REPLACE_PROCESS, Aim(incident=await ward.incident(BY_ID["W2"], "several")))
