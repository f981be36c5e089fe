"""Somebody far away: founds a firm, works, and listens, over whatever stands before the installation."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import websockets

from zena.kit.ids import new_id

APP = "/api/v1/app"
PASSWORD = "gantry-mortar-17"
_FORM_TOKEN = re.compile(r'name="_token" value="([^"]+)"')
_SCOPES = (
    "tasks.view", "tasks.create", "tasks.update", "projects.view", "projects.create", "imports.create", "reports.view",
)  # fmt: skip


def trusting_context() -> ssl.SSLContext:
    """For a proxy whose certificate was made a moment ago."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass
class Visitor:
    """One person. `address` is the one of this machine's that they call from."""

    url: str
    address: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)
    token: str = ""
    cookie: str = ""
    email: str = field(default_factory=lambda: f"an-{new_id().hex[-12:]}@far.test")

    def client(self) -> httpx.AsyncClient:
        verify = trusting_context() if self.url.startswith("https") else True
        transport = httpx.AsyncHTTPTransport(local_address=self.address, verify=verify)
        headers = {"sec-fetch-site": "same-origin"} | self.headers
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return httpx.AsyncClient(base_url=self.url, transport=transport, headers=headers, timeout=60)

    async def found_firm(self, link: str) -> None:
        """Open the link of a first start, become an owner, and keep a session and a token."""
        async with self.client() as browser:
            form = _FORM_TOKEN.search((await browser.get(link)).text)
            fields = {"firm": "Far Ltd", "name": "An Nguyen", "email": self.email, "password": PASSWORD}
            answer = await browser.post(link, data=fields | ({"_token": form[1]} if form else {}))
            assert answer.status_code == 303, answer.text
            self.cookie = answer.headers["set-cookie"]
        await self.take_token()

    async def sign_in(self, password: str = PASSWORD) -> None:
        async with self.client() as browser:
            wish = {"email": self.email, "password": password}
            answer = await browser.post("/api/v1/auth/login", json=wish)
            assert answer.status_code == 200, answer.text
            self.cookie = answer.headers["set-cookie"]
        await self.take_token()

    async def enter(self, firm: str) -> None:
        """Work in another of this person's firms."""
        async with self.client() as browser:
            browser.headers["cookie"] = self.cookie.partition(";")[0]
            del browser.headers["authorization"]
            mine = (await browser.get("/api/v1/me/tenants")).json()
            [wanted] = [one["id"] for one in mine["data"] if one["name"] == firm]
            answer = await browser.post(f"/api/v1/me/tenants/{wanted}/activation")
            assert answer.status_code == 200, answer.text
            self.cookie = answer.headers["set-cookie"]
        self.token = ""
        await self.take_token()

    async def take_token(self) -> None:
        end = (datetime.now(UTC) + timedelta(hours=20)).isoformat()
        wish = {"name": f"far {new_id().hex[-6:]}", "scopes": _SCOPES, "expires_at": end}
        async with self.client() as browser:
            cookie = {"cookie": self.cookie.partition(";")[0]}
            answer = await browser.post(f"{APP}/tokens", json=wish, headers=cookie)
        assert answer.status_code == 201, answer.text
        self.token = answer.json()["secret"]

    async def send(self, method: str, path: str, status: int, **options: Any) -> Any:
        async with self.client() as program:
            answer = await program.request(method, path, **options)
        assert answer.status_code == status, (answer.status_code, answer.text[:500])
        return answer.json() if answer.content else None

    async def make_project(self, key: str) -> str:
        found: str = (await self.send("POST", f"{APP}/projects", 201, json={"name": f"Quay {key}", "key": key}))["id"]
        return found

    async def make_task(self, project: str, name: str) -> str:
        found: str = (await self.send("POST", f"{APP}/projects/{project}/tasks", 201, json={"name": name}))["id"]
        return found

    async def names(self, project: str) -> list[str]:
        page = await self.send("GET", f"{APP}/projects/{project}/tasks", 200)
        return sorted(task["name"] for task in page["data"])

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Any]:
        """Hear what happens to the firm's tasks."""
        options: dict[str, Any] = {"origin": self.url, "local_addr": (self.address, 0), "proxy": None}
        if self.url.startswith("https"):
            options["ssl"] = trusting_context()
        async with websockets.connect(self.url.replace("http", "ws", 1) + "/ws", **options) as socket:
            assert (await heard(socket))["op"] == "connection"
            await socket.send(json.dumps({"op": "authenticate", "token": self.token}))
            tenant = (await heard(socket))["tenant"]
            await socket.send(json.dumps({"op": "subscribe", "channel": f"tenant:{tenant}:tasks"}))
            assert (await heard(socket))["op"] == "subscription"
            yield socket


async def heard(socket: Any, *, op: str | None = None, seconds: float = 30.0) -> dict[str, Any]:
    """Return the next frame, or the next of a kind."""
    async with asyncio.timeout(seconds):
        while True:
            told: dict[str, Any] = json.loads(await socket.recv())
            if op in {None, told["op"]}:
                return told
