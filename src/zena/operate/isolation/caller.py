"""Requests to the application from within the process, as a browser of ours would send them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from zena.kit.csrf import TOKEN_HEADER, form_token

#: Not this machine: who calls from here may know more. An address of documentation (RFC 5737).
_PEER: Final = ("192.0.2.1", 40_000)
_BOUNDARY: Final = "zena-isolation-6b1f"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `text` holds headers and body, or as much of a stream as its first piece."""

    status: int
    text: str
    cookies: Mapping[str, str]


@dataclass(slots=True)
class Caller:
    """One person's browser. Without a cookie, nobody's."""

    app: Any
    public_url: str
    cookie: str = ""
    form_secret: bytes = b""
    sent: int = field(default=0)

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        return await self.send("GET", path, query=query)

    async def send(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None, upload: bytes = b""
    ) -> Answer:
        """Send a request; a body goes as JSON to the API and as a form to pages, `upload` as a file."""
        content, kind = _encoded(path, body, upload)
        target = urlsplit(self.public_url)
        headers = [
            ("host", target.netloc),
            ("sec-fetch-site", "same-origin"),
            ("accept", "application/json" if path.startswith("/api/") else "text/html"),
            ("if-match", "*"),
        ]
        if method != "GET":
            headers += [("content-type", kind), ("content-length", str(len(content)))]
        if self.cookie:
            headers += [("cookie", self.cookie), (TOKEN_HEADER.lower(), form_token(self.form_secret))]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": target.scheme, "path": path, "raw_path": quote(path).encode(), "root_path": "",
            "query_string": urlencode(query or {}).encode(), "client": _PEER, "server": (target.hostname, target.port),
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }  # fmt: skip
        self.sent += 1
        return await _Exchange(content).run(self.app, scope)


class _Exchange:
    """One request and its answer; a stream is left after its first piece."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self._over = asyncio.Event()
        self._start: dict[str, Any] = {"status": 500, "headers": []}
        self._body = b""

    async def run(self, app: Any, scope: dict[str, Any]) -> Answer:
        await app(scope, self._receive, self._send)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._start["headers"]]
        cookies = SimpleCookie("; ".join(value.partition(";")[0] for name, value in headers if name == "set-cookie"))
        told = [f"{name}: {value}" for name, value in headers]
        text = "\n".join([*told, "", self._body.decode("utf-8", "replace")])
        return Answer(self._start["status"], text, {name: one.value for name, one in cookies.items()})

    async def _receive(self) -> dict[str, Any]:
        if self._content is not None:
            content, self._content = self._content, None
            return {"type": "http.request", "body": content, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            if any(
                value.startswith(b"text/event-stream") for name, value in message["headers"] if name == b"content-type"
            ):
                self._over.set()
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            self._over.set()


def _encoded(path: str, body: Any, upload: bytes) -> tuple[bytes, str]:
    if upload:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="plan.csv"\r\n'
        content = head.encode() + b"Content-Type: text/csv\r\n\r\n" + upload + f"\r\n--{_BOUNDARY}--\r\n".encode()
        return content, f"multipart/form-data; boundary={_BOUNDARY}"
    if path.startswith("/api/"):
        return (b"" if body is None else json.dumps(body).encode()), "application/json"
    return urlencode(body or {}, doseq=True).encode(), "application/x-www-form-urlencoded"
