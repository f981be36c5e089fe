"""One request to the application in this process, as it would come in from outside, and its answer."""

import asyncio
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from zena.kit.logs import redact

_BOUNDED: Final = 60.0
#: An address of nobody (RFC 5737): from this machine the answers of health and metrics would be another person's.
_CLIENT: Final = ("192.0.2.1", 0)
_SAFE: Final = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to ask for. `target` is a path with its query; `body` is JSON or a form, as its first character says."""

    method: str
    target: str
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """Method and path for the record, without query and without what opens something."""
        path = redact(None, "", {"path": urlsplit(self.target).path})["path"]
        return f"{self.method} {path}"


@dataclass(slots=True)
class Answer:
    """What came back: no content, only what is said about it. `code` is that of a refusal."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    @property
    def code(self) -> str | None:
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return None
        try:
            code = msgspec.json.decode(bytes(self.body))["code"]
        except (msgspec.DecodeError, KeyError, TypeError):
            return None
        return str(code)

    @property
    def location(self) -> str | None:
        """The path a redirect leads to, without its query."""
        to = self.headers.get("location")
        path: str | None = redact(None, "", {"path": urlsplit(to).path})["path"] if to else None
        return path


async def ask(app: Any, wanted: Wanted, public_url: str, credentials: Mapping[str, str]) -> Answer:
    """Send one request and collect the answer; TimeoutError after a minute: a live stream never ends."""
    answer = Answer()
    sent, body = False, (wanted.body or "").encode()

    async def receive() -> Mapping[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    # A task of its own: the callers of statements are looked up on its stack, where nothing of ours may stand.
    task = asyncio.create_task(app(_scope(wanted, public_url, credentials, len(body)), receive, send))
    async with asyncio.timeout(_BOUNDED):
        await task
    return answer


def _scope(wanted: Wanted, public_url: str, credentials: Mapping[str, str], length: int) -> dict[str, Any]:
    here, parts = urlsplit(public_url), urlsplit(wanted.target)
    is_api = parts.path.startswith("/api/")
    headers = {"host": here.netloc, "accept": "application/json" if is_api else "text/html", "user-agent": "zena trace"}
    headers |= {"sec-fetch-site": "same-origin"} | dict(credentials)
    if wanted.body is not None:
        as_json = wanted.body.lstrip().startswith(("{", "["))
        kind = "application/json" if as_json else "application/x-www-form-urlencoded"
        headers |= {"content-type": kind, "content-length": str(length)}
    headers |= {name.lower(): value for name, value in wanted.headers.items()}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": wanted.method,
        "scheme": here.scheme,
        "path": unquote(parts.path),
        "raw_path": quote(parts.path, safe=_SAFE).encode(),
        "query_string": quote(parts.query, safe=_SAFE + "?[]").encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": _CLIENT,
        "server": (here.hostname, here.port or (443 if here.scheme == "https" else 80)),
        "state": {},
    }
