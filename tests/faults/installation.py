"""A whole installation from outside: `zena serve`, its processes by name, its first firm, its database."""

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from tests.kit.pg import environment, open_folder
from zena.kit.embedded import ClusterUrls, urls_of_running
from zena.kit.embedded.orphans import serves
from zena.kit.embedded.running import read_state
from zena.kit.supervisor.leftovers import Mark

#: Longest wait for anything; a loaded machine is no failure.
PATIENCE = 90.0
#: SIGTERM until everything has ended: requests 20 s, jobs 30 s, the database after them (docs/operate/running.md).
STOPPING = 75.0
VICTIMS = ("web", "worker", "backend", "postmaster", "supervisor")
SCOPES = ("tasks.view", "tasks.create", "tasks.update", "comments.create", "projects.view", "projects.create")
MORE_SCOPES = ("members.manage", "reports.view", "audit.view")

_LINK = re.compile(r"http://localhost:\d+/set-up/\S+")
_FORM_TOKEN = re.compile(r'name="_token" value="([^"]+)"')
_ROLE_OF_BACKEND = "zena_app"


@dataclass(slots=True)
class Installation:
    """`zena serve` in a folder. `start` and `stop` as often as wanted; `say` is all it ever printed."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    begun: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def said(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    @property
    def variables(self) -> dict[str, str]:
        rates = dict.fromkeys(("ZENA_RATE_USER", "ZENA_RATE_TENANT", "ZENA_RATE_ANONYMOUS"), "1000000")
        return environment(ZENA_DATA_DIR=str(self.data), ZENA_PORT=str(self.port), **rates, **self.settings)

    def command(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start `zena` with these words; what it says is added to the output."""
        with (self.folder / "output").open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "zena", *words],
                env=self.variables,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        self.begun.append(process)
        return process

    def start(self) -> None:
        self.port = self.port or free_port()
        self.process = self.command("serve")

    def wait_until_up(self) -> None:
        """Wait until it answers that it can serve; an installation that ends instead has failed."""
        wait(self._is_up, lambda: f"the installation is not up: {self.said[-3000:]}")

    def stop(self) -> int:
        """End it politely and return its exit status; by force if it does not end."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOPPING)
        finally:
            self.process.kill()
            self.process.wait()

    def clear_away(self) -> None:
        """End all that was ever begun here, whatever state it is in."""
        try:
            if self.process is not None:
                self.stop()
        finally:
            for process in self.begun:
                process.kill()
                process.wait()
            wait(self._nothing_left, lambda: f"these cannot be ended: {self.pids('all')}")

    def urls(self) -> ClusterUrls:
        found: ClusterUrls | None = wait(lambda: urls_of_running(self.data), lambda: "no database answers")
        assert found is not None
        return found

    def pids(self, name: str) -> list[int]:
        """Return the processes that go by this name just now: of a kind in VICTIMS, or `all`."""
        if name == "all":
            return [pid for kind in VICTIMS for pid in self.pids(kind)]
        if name == "supervisor":
            return [self.process.pid] if self.process is not None and self.process.poll() is None else []
        if name in {"web", "worker"}:
            return [pid for pid, words in self._children() if ("web" in words) == (name == "web")]
        state = read_state(self.data)
        if state is None or not serves(state.pid, Path(state.cluster)):
            return []
        return [state.pid] if name == "postmaster" else _backends(state.pid)

    def kill(self, name: str, dice: random.Random) -> int:
        """Kill one process of this kind, once there is one, and return which."""
        while True:
            pid = dice.choice(wait(lambda: self.pids(name), lambda: f"there is no {name} to kill: {self.said[-3000:]}"))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return int(pid)

    def _nothing_left(self) -> bool:
        left = self.pids("all")
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"zena serve ended with {self.process.poll()}: {self.said[-3000:]}"
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/api/v1/health", timeout=5).is_success
        return False

    def _children(self) -> Iterator[tuple[int, list[str]]]:
        try:
            children = json.loads((self.data / "serve.json").read_text())["children"]
        except FileNotFoundError:
            return
        for pid, born in children:
            with suppress(psutil.Error):
                if Mark(pid, born).alive:
                    yield pid, psutil.Process(pid).cmdline()


def _backends(postmaster: int) -> list[int]:
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(postmaster).children():
            with suppress(psutil.Error):
                if _ROLE_OF_BACKEND in " ".join(child.cmdline()):
                    found.append(child.pid)
    return found


def wait(look: Callable[[], Any], why: Callable[[], str], seconds: float = PATIENCE) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def installed(**settings: str) -> Iterator[Installation]:
    """A fresh installation in a directory of its own, not started; whatever runs at the end is ended."""
    with open_folder("zk-") as folder:
        made = Installation(folder, settings)
        try:
            yield made
        finally:
            made.clear_away()


async def found_firm(installation: Installation, tokens: int) -> list[str]:
    """Open the link of the first start, become the first owner, and return so many API tokens."""
    link = await asyncio.to_thread(
        lambda: wait(lambda: _LINK.search(installation.said), lambda: f"no link: {installation.said[-3000:]}")[0]
    )
    async with httpx.AsyncClient(timeout=30, headers={"sec-fetch-site": "same-origin"}) as browser:
        form = _FORM_TOKEN.search((await browser.get(link)).text)
        fields = {"firm": "Kill Ltd", "name": "An Nguyen", "email": "an@kill.test", "password": "gantry-mortar-17"}
        answer = await browser.post(link, data=fields | ({"_token": form[1]} if form else {}))
        assert answer.status_code == 303, answer.text
        cookie = answer.headers["set-cookie"].partition(";")[0]
        end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        made = []
        for number in range(tokens):
            wish = {"name": f"client {number}", "scopes": [*SCOPES, *MORE_SCOPES], "expires_at": end}
            answer = await browser.post(f"{installation.url}/api/v1/app/tokens", json=wish, headers={"cookie": cookie})
            assert answer.status_code == 201, answer.text
            made.append(answer.json()["secret"])
    return made


async def operations(installation: Installation) -> Any:
    """Connect as the operations role, past all fences; the caller closes."""
    return await asyncpg.connect(installation.urls().ops, timeout=20, command_timeout=60)
