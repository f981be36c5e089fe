"""The other side of alerts: one HTTP server that is Slack, PagerDuty and a webhook at once."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from pydantic import SecretStr

from zena.settings import Settings

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = "a secret of the tests"


def reply(status: int, body: Any = None, **headers: str) -> bytes:
    """An answer as it goes over the wire; `retry_after="3"` becomes a header."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + content


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found


@dataclass
class Sink:
    """Takes what is posted, and answers as the real ones do, or as a test says: `None` is no answer at all."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], bytes | None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def to(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    @property
    def slack(self) -> list[Asked]:
        return self.to("/api/chat.postMessage")

    @property
    def pages(self) -> list[Asked]:
        return self.to("/v2/enqueue")

    @property
    def hooks(self) -> list[Asked]:
        return self.to("/hook")

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
            raw = await reader.readexactly(int(headers.get("content-length", "0")))
            asked = Asked(first.split()[1], headers, raw)
            self.asked.append(asked)
            told = (self.answer or self.usual)(asked)
            if told is None:
                await asyncio.sleep(60)
            writer.write(told or b"")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def usual(self, asked: Asked) -> bytes:
        if asked.path == "/api/chat.postMessage":
            return reply(200, {"ok": True, "channel": "C1", "ts": f"1700.{len(self.slack)}"})
        if asked.path == "/v2/enqueue":
            return reply(202, {"status": "success", "message": "Event processed", "dedup_key": "theirs"})
        return reply(204, b"")


@asynccontextmanager
async def opened(made: Sink) -> AsyncIterator[Sink]:
    """Lend a sink on a port of this machine."""
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def set_up(settings: Settings, sink: Sink, *names: str) -> Settings:
    """Settings with these channels, at the sink: slack, pagerduty, webhook, mail:ADDRESS."""
    values: dict[str, Any] = {
        "alert_networks": LOOPBACK,
        "alert_slack_url": f"{sink.url}/api",
        "alert_pagerduty_url": sink.url,
        "alert_mail": tuple(name.removeprefix("mail:") for name in names if name.startswith("mail:")),
    }
    if "slack" in names:
        values |= {"alert_slack_token": SecretStr("xoxb-test"), "alert_slack_channel": "C1"}
    if "pagerduty" in names:
        values |= {"alert_pagerduty_key": SecretStr("routing")}
    if "webhook" in names:
        values |= {"alert_webhook_url": SecretStr(f"{sink.url}/hook"), "alert_webhook_secret": SecretStr(SECRET)}
    return settings.model_copy(update=values)
