"""One way through the installation, by real requests and a real socket: sign in, a page, a change, the news of it."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from zena.kit.http import FetchFailed, HttpPolicy, Reply, SafeHttp
from zena.kit.ids import new_id
from zena.operate.sentinel.house import Person
from zena.settings import Settings

#: In order; what comes after one that failed is not tried.
STAGES: Final = ("sign_in", "page", "socket", "task", "delivery")
#: Nothing may take longer, seconds: people would have left.
PATIENCE: Final = 10.0
_APP: Final = "/api/v1/app"
_SESSION: Final = re.compile(r"(?:__Host-)?zena=[^;,]+")
_FIRST: Final = {"name": "Sentinel", "key": "SNTL"}
_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what a server listens on, seen from here


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one stage. `says` is our own words: a status, a reason; empty where all is well."""

    stage: str
    ok: bool
    ms: float
    says: str = ""


class Failed(Exception):  # noqa: N818 - says what is
    """The other side answered otherwise than it should; the message says what."""


def address_of(settings: Settings) -> str:
    """Return where the installation is asked: its own address on this machine, unless a setting says another."""
    if settings.sentinel != "auto":
        return settings.sentinel.rstrip("/")
    return f"http://{_EVERYWHERE.get(settings.host, settings.host)}:{settings.port}"


def live_of(settings: Settings) -> str:
    """Return where sockets are opened: where `address_of` leads, or at the processes for live connections alone."""
    if settings.sentinel == "auto" and settings.websocket_processes:
        return f"ws://{_EVERYWHERE.get(settings.host, settings.host)}:{settings.websocket_port}/ws"
    return f"ws{address_of(settings).removeprefix('http')}/ws"


@dataclass(slots=True)
class Journey:
    """One person on the way. `url` is where requests go, `live` where the socket is, `site` what pages are called."""

    url: str
    live: str
    site: str
    who: Person
    _cookie: str = field(default="", repr=False)
    _socket: ClientConnection | None = None
    _http: SafeHttp = field(init=False)

    def __post_init__(self) -> None:
        there = urlsplit(self.url)
        port = there.port or (443 if there.scheme == "https" else 80)
        self._http = SafeHttp(HttpPolicy(ports=frozenset({port}), allowed_networks=_LOOPBACK, seconds=PATIENCE))

    async def run(self) -> list[Outcome]:
        """Go as far as it leads; whatever happens, sign out."""
        outcomes: list[Outcome] = []
        try:
            for stage in STAGES:
                outcomes.append(await self._tried(stage))
                if not outcomes[-1].ok:
                    break
        finally:
            await self._leave()
        return outcomes

    async def _tried(self, stage: str) -> Outcome:
        began, says = time.perf_counter(), ""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._steps[stage]()
        except TimeoutError:
            says = f"nothing within {PATIENCE:g} s"
        except Failed as error:
            says = str(error)
        except (FetchFailed, WebSocketException, OSError, ValueError, KeyError) as error:
            says = getattr(error, "reason", "") or type(error).__name__
        return Outcome(stage, not says, round((time.perf_counter() - began) * 1000, 1), says)

    @property
    def _steps(self) -> dict[str, Callable[[], Awaitable[None]]]:
        ways = (self._sign_in, self._page, self._enter, self._task, self._delivery)
        return dict(zip(STAGES, ways, strict=True))

    async def _sign_in(self) -> None:
        wish = {"email": self.who.email, "password": self.who.password}
        reply = _expected(await self._send("POST", "/api/v1/auth/login", json.dumps(wish).encode()))
        found = _SESSION.search(reply.headers.get("set-cookie", ""))
        if found is None:
            raise Failed("no session was given")
        self._cookie = found[0]

    async def _page(self) -> None:
        _expected(await self._send("GET", "/dashboard"))

    async def _enter(self) -> None:
        ticket = (await self._told("POST", "/api/v1/auth/ticket", {}))["ticket"]
        headers = {"cookie": self._cookie}  # a browser sends it: another port is the same site
        self._socket = await connect(self.live, origin=Origin(self.site), additional_headers=headers, proxy=None)
        await self._heard("connection")
        await self._say(op="authenticate", ticket=ticket)
        await self._heard("authentication")
        await self._say(op="subscribe", channel=f"tenant:{self.who.firm}:tasks")
        await self._heard("subscription")

    async def _task(self) -> None:
        there = (await self._told("GET", f"{_APP}/tasks?limit=1"))["data"]
        task = there[0] if there else await self._first_task()
        change = {"name": f"Walked {new_id()}"}
        await self._told("PATCH", f"{_APP}/tasks/{task['id']}", change, version=task["version"])

    async def _first_task(self) -> Any:
        project = await self._told("POST", f"{_APP}/projects", _FIRST)
        return await self._told("POST", f"{_APP}/projects/{_body(project)['id']}/tasks", {"name": "Walked"})

    async def _delivery(self) -> None:
        event: dict[str, Any] = {}
        while event.get("type") != "task.updated":  # the first one was made just now, too
            event = await self._heard("event")

    async def _leave(self) -> None:
        try:
            if self._socket is not None:
                await self._socket.close()
            if self._cookie:
                await self._send("POST", "/api/v1/auth/logout", b"{}")
        except (FetchFailed, WebSocketException, OSError):
            pass  # the session ends by itself

    @property
    def _line(self) -> ClientConnection:
        if self._socket is None:
            raise Failed("no socket is open")
        return self._socket

    async def _heard(self, op: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(await self._line.recv())
        if told["op"] != op:
            raise Failed(f"{told['op']} {told.get('code', '')} in place of {op}")
        return told

    async def _say(self, **words: Any) -> None:
        await self._line.send(json.dumps(words))

    async def _told(self, method: str, path: str, body: Any = None, version: int | None = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        reply = _expected(await self._send(method, path, content, version=version))
        found = json.loads(reply.body)
        return found if method == "GET" else _body(found)

    async def _send(self, method: str, path: str, content: bytes = b"", version: int | None = None) -> Reply:
        headers = {"cookie": self._cookie} if self._cookie else {}
        headers |= {"accept": "application/json" if path.startswith("/api/") else "text/html"}
        if method != "GET":
            headers |= {"origin": self.site, "content-type": "application/json"}
        if version is not None:
            headers["if-match"] = f'"{version}"'
        return await self._http.send(method, self.url + path, headers=headers, content=content)


def _body(found: Any) -> Any:
    """Return what an answer is about: some have it under `data`."""
    return found["data"] if isinstance(found, dict) and "data" in found else found


def _expected(reply: Reply) -> Reply:
    if reply.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise Failed(f"answered {reply.status}")
    return reply
