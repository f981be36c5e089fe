"""The whole application on a port, and sockets opened as a browser does."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
import websockets

from tests.factories import Firm
from tests.kit.bed import until
from tests.kit.live import Client
from zena.kit.realtime import Hub
from zena.kit.state import State
from zena.main import build_state, create_app
from zena.settings import Settings

HOST = "zena.test"


@dataclass
class Product:
    """The whole application on a port."""

    state: State
    port: int

    @property
    def hub(self) -> Hub:
        assert self.state.hub is not None
        return self.state.hub

    async def send(self, firm: Firm, role: str, method: str, path: str, body: Any = None) -> httpx.Response:
        caller = firm.people[role]  # type: ignore[index]  # Role is a StrEnum
        headers = {"host": HOST, "x-forwarded-proto": "https", **caller.headers}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as http:
            return await http.request(method, path, headers=headers, json=body)

    @asynccontextmanager
    async def socket(self, firm: Firm, role: str = "member") -> AsyncIterator[Client]:
        """Open a socket as a browser does: a ticket first."""
        answer = await self.send(firm, role, "POST", "/api/v1/auth/ticket", {})
        assert answer.status_code == 200, answer.text
        address: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "proxy": None}
        async with websockets.connect(f"ws://{HOST}/ws", origin=f"https://{HOST}", **address) as opened:  # type: ignore[arg-type]  # a NewType of str
            client = Client(opened)
            await client.hear("connection")
            await client.say("authenticate", ticket=answer.json()["ticket"])
            told = await client.hear("authentication")
            assert told["tenant"] == str(firm.tenant)
            yield client


@asynccontextmanager
async def serving_product(settings: Settings) -> AsyncIterator[Product]:
    """Serve the whole application on a port of this machine."""
    state = build_state(settings)
    config = uvicorn.Config(create_app(state), log_config=None, ws_max_size=65_536, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server._serve([listening]))
        await until(lambda: asyncio.sleep(0, server.started))
        try:
            yield Product(state, listening.getsockname()[1])
        finally:
            server.should_exit = True
            await task
