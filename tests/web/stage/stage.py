"""A stage for the shell: its templates, parts and modules behind a bare ASGI application, without a database.

Pages come with the policy header of the real server, so that a script or style it would refuse is refused here too.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from zena.kit.assets import Assets
from zena.kit.registry import NavItem
from zena.kit.scope import Identity, Scope
from zena.kit.templates import Renderer
from zena.kit.view import View
from zena.kit.visit import Visit
from zena.web import STATIC

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws:"
)
NOW = datetime(2026, 11, 23, 9, 41, 7, tzinfo=UTC)
TENANT = UUID(int=7)
Send = Callable[[dict[str, Any]], Awaitable[None]]

NAV = [
    (NavItem("Dashboard", "/dashboard", "grid", phone=True), False),
    (NavItem("My work", "/mine", "work", tag=("12", ""), phone=True), False),
    (NavItem("Projects", "/projects", "building", phone=True), False),
    (NavItem("Harbour Tower", "/board", "folder", section="Projects", tag=("critical", "bad")), True),
    (NavItem("Riverside School", "/p/RSC", "folder", section="Projects", tag=("good", "ok")), False),
    (NavItem("Road 14 widening", "/p/R14", "folder", section="Projects", tag=("at risk", "warn")), False),
    (NavItem("Members", "/members", "people", section="Firm"), False),
    (NavItem("Settings", "/settings", "gear", section="Firm"), False),
]


def person(locale: str = "en") -> tuple[Identity, Scope]:
    identity = Identity(
        user=UUID(int=1),
        name="Lê Thu An",
        email="an@meridian.test",
        locale=locale,
        timezone=None,
        is_operator=False,
        session=UUID(int=2),
        token=None,
        form_secret=b"secret",
    )
    scope = Scope(
        tenant=TENANT,
        member=UUID(int=3),
        user=identity.user,
        role="pm",
        permissions=frozenset({"tasks.update"}),
        timezone="Asia/Ho_Chi_Minh",
        tenant_name="Meridian Works",
        identity=identity,
    )
    return identity, scope


@dataclass
class Stage:
    """The application. Tests look at `moves`, `posts` and what was `heard` on the socket."""

    sockets: list[Send] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reset()
        self.renderer = Renderer([STATIC.parent / "templates", HERE / "templates"], Assets(STATIC))

    def reset(self) -> None:
        """Forget what happened; `refuse`, `away` and `expired` make the next requests and sockets fail."""
        self.moves: list[dict[str, Any]] = []
        self.posts: list[tuple[str, dict[str, list[str]]]] = []
        self.heard: list[dict[str, Any]] = []
        self.refuse: tuple[int, str] | None = None
        self.away = self.expired = False
        self.position, self.oldest, self.drawn = 5, 0, 0
        self.context: dict[str, Any] = {"days": [(f"d{i}", i * 7 % 23, i * 5 % 19) for i in range(30)]}

    def view(self, path: str, query: str = "", locale: str = "en", look: str = "") -> View:
        identity, scope = person(locale)
        view = View(locale=locale, timezone="Asia/Ho_Chi_Minh", now=NOW, path=path, query=query, position=5)
        view.visit = Visit(request_id="stage")
        view.identity, view.actor, view.csrf, view.look = identity, scope, "token", frozenset(look.split("."))
        return view

    def draw(self, name: str, view: View, **context: Any) -> str:
        return self.renderer.render(f"stage/{name}.html", view, nav=NAV, **self.context | context)

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send
    ) -> None:
        if scope["type"] == "websocket":
            await self.socket(receive, send)
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message.get("body", b"")
        path = scope["path"]
        if path.startswith("/static/"):
            await self.file(path, send)
        elif path.startswith("/api/"):
            await self.api(path, body, send)
        elif scope["method"] == "POST":
            self.posts.append((path, parse_qs(body.decode(), keep_blank_values=True)))
            status, text = self.refuse or (200, "<p id='taken'>taken</p>")
            await answer(send, status, text.encode(), "text/html; charset=utf-8")
        elif path == "/favicon.ico":
            await answer(send, 404, b"", "text/plain")
        else:
            await self.page(scope, send)

    async def file(self, path: str, send: Send) -> None:
        asset = self.renderer.assets.get(path.split("/", 3)[3])
        kind = f"{asset.media_type}; charset=utf-8" if asset else "text/plain"
        await answer(send, 200 if asset else 404, asset.body if asset else b"", kind)

    async def api(self, path: str, body: bytes, send: Send) -> None:
        if path == "/api/v1/auth/ticket" and self.expired:
            await answer(send, 401, b"{}", "application/problem+json")
        elif path == "/api/v1/auth/ticket":
            await answer(send, 200, b'{"data": {"ticket": "t"}}', "application/json")
        elif path == "/api/v1/app/events":
            await self.stream(send)
        else:
            await self.move(json.loads(body), send)

    async def socket(self, receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
        """Speak the protocol as the server does, and keep the line so that a test can push events or cut it."""
        await receive()
        if self.away:
            await send({"type": "websocket.close", "code": 1013})
            return
        await send({"type": "websocket.accept"})

        async def say(message: dict[str, Any]) -> None:
            await send({"type": "websocket.send", "text": json.dumps(message)})

        await say({"op": "connection"})
        self.sockets.append(send)
        while (message := await receive())["type"] == "websocket.receive":
            said = json.loads(message["text"])
            self.heard.append(said)
            if said["op"] == "authenticate":
                await say({"op": "authentication"})
            elif said["op"] == "subscribe":
                reply = {"op": "subscription", "channel": said["channel"], "position": self.position}
                await say(reply | {"recovered": said.get("since", 0) >= self.oldest})
        if send in self.sockets:
            self.sockets.remove(send)

    async def stream(self, send: Send) -> None:
        """Answer as the event stream does: what is listened to, then one event, then the end."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        channel = f"tenant:{TENANT}:tasks"
        for name in ("subscription", "event"):
            data = json.dumps({"channel": channel, "position": self.position})
            await send(
                {"type": "http.response.body", "body": f"event: {name}\ndata: {data}\n\n".encode(), "more_body": True}
            )
            await asyncio.sleep(0.5)
        await send({"type": "http.response.body", "body": b""})

    async def tell(self, channel: str) -> None:
        """Push one event of a channel to everybody."""
        self.position += 1
        text = json.dumps({"op": "event", "channel": channel, "position": self.position, "type": "task.moved"})
        for send in self.sockets:
            await send({"type": "websocket.send", "text": text})

    async def cut(self) -> None:
        """Close every line."""
        sockets, self.sockets = self.sockets, []
        for send in sockets:
            await send({"type": "websocket.close", "code": 1011})

    async def move(self, wanted: dict[str, Any], send: Send) -> None:
        self.moves.append(wanted)
        if self.refuse:
            status, detail = self.refuse
            await answer(send, status, json.dumps({"detail": detail}).encode(), "application/problem+json")
        else:
            await answer(
                send, 200, json.dumps({"data": {"version": wanted["version"] + 1}}).encode(), "application/json"
            )

    async def page(self, scope: dict[str, Any], send: Send) -> None:
        path, query = scope["path"], scope["query_string"].decode()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        words = {key: values[0] for key, values in parse_qs(query).items()}
        view = self.view(path, query, words.get("locale", "en"), words.get("look", ""))
        name = "peek" if headers.get("hx-target") == "peek" else path.strip("/") or "board"
        self.drawn += 1
        html = self.draw(name, view, drawn=self.drawn)
        policy = POLICY.format(nonce=view.nonce)
        await answer(send, 200, html.encode(), "text/html; charset=utf-8", policy)


async def answer(send: Send, status: int, body: bytes, kind: str, policy: str = "") -> None:
    headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
    if policy:
        headers.append((b"content-security-policy", policy.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
