"""Drives an ASGI application with exactly the bytes a test wants, also those no client library would send."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

HOST = "zena.test"
Headers = Iterable[tuple[str, str]]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    reads: int = 0

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json()["code"])


@dataclass
class Echo:
    """An application that answers with what reached it; reads the body unless told not to."""

    read_body: bool = True
    status: int = 200
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),)
    seen: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope)
        body, more = b"", self.read_body
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        raw = [(name.encode(), value.encode()) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"{}"})


def scope_of(
    method: str, target: str, headers: Headers, client: tuple[str, int] | None, kind: str = "http"
) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": kind,
        "method": method,
        "path": unquote(path, errors="replace"),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": client,
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "root_path": "",
        "extensions": {},
        "state": {},
    }


async def call(
    app: Any,
    method: str,
    target: str,
    *,
    headers: Headers = (),
    chunks: Sequence[bytes] = (),
    client: tuple[str, int] | None = ("203.0.113.9", 4711),
    host: str | None = HOST,
) -> Answer:
    """Send one request. A body announces itself by Content-Length unless the headers say otherwise."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    if host is not None and "host" not in names:
        given.insert(0, ("host", host))
    if chunks and not names & {"content-length", "transfer-encoding"}:
        given.append(("content-length", str(sum(map(len, chunks)))))
    waiting = [{"type": "http.request", "body": c, "more_body": n < len(chunks) - 1} for n, c in enumerate(chunks)]
    waiting = waiting or [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[Any] = []
    reads = 0

    async def receive() -> Any:
        nonlocal reads
        reads += 1
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope_of(method, target, given, client), receive, send)
    start = sent[0]
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], found, b"".join(m.get("body", b"") for m in sent[1:]), reads)


async def open_socket(app: Any, headers: Headers, target: str = "/ws") -> list[Any]:
    """Try to open a websocket; return what was sent in answer."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    given = list(headers)
    if not any(name.lower() == "host" for name, _ in given):
        given.insert(0, ("host", HOST))
    await app(scope_of("GET", target, given, ("203.0.113.9", 1), "websocket"), receive, send)
    return sent
