"""A live connection on a real socket, with rules and a doorman that tests can turn."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvicorn
import websockets
from litestar import Litestar
from litestar.di import Provide

from tests.factories import Firm
from tests.kit.bed import until
from zena.accounts.entry import provide_reader
from zena.kit import realtime
from zena.kit.clock import SystemClock
from zena.kit.db import Database, Raw
from zena.kit.embedded import ClusterUrls
from zena.kit.errors import Forbidden, NotFound, Unauthorized
from zena.kit.events import Event, event, record
from zena.kit.guard import Guard, GuardRules
from zena.kit.ids import new_id
from zena.kit.problems import problem_handlers
from zena.kit.realtime import Entrant, Hub, Limits
from zena.kit.registry import EventRow, Registry
from zena.kit.scope import Scope
from zena.kit.state import State
from zena.kit.uow import tenant_work

ORIGIN = "https://zena.test"
CALM = Limits(messages_per_connection=1_000, connections_per_user=100, connections_per_tenant=1_000)


@event("probe.moved")
class ProbeMoved(Event, frozen=True, kw_only=True):
    number: int


@event("access.probe_closed")
class ProbeClosed(Event, frozen=True, kw_only=True):
    pass


@dataclass
class Rule:
    """Lets everybody hear everything, except what a test closes."""

    refusals: dict[tuple[UUID | None, str | None], Exception] = field(default_factory=dict)
    asked: int = 0

    async def allow(self, conn: Raw, scope: Scope, object_id: str | None) -> str:
        self.asked += 1
        assert await conn.fetchval("SELECT count(*) FROM tenant") == 1
        refusal = self.refusals.get((scope.user, object_id))
        if refusal is not None:
            raise refusal
        return scope.role

    def visible(self, event: EventRow, object_id: str | None, allowed: Any) -> bool:
        return event.type == "probe.moved" and object_id in {None, str(event.project_id)}


@dataclass
class Keeper:
    """Knows tokens by heart."""

    entrants: dict[str, Entrant | Exception] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)

    async def by_token(self, token: str) -> Entrant:
        found = self.entrants.get(token)
        if isinstance(found, Entrant):
            return found
        raise found or Unauthorized(code="TOKEN_INVALID")

    async def by_ticket(self, ticket: str) -> Entrant:
        found = await self.by_token(ticket)
        del self.entrants[ticket]
        return found

    async def lapsed(self, entrants: Collection[Entrant]) -> Mapping[str, int]:
        return {one.key: self.gone[one.key] for one in entrants if one.key in self.gone}


class Client:
    """A listener as a careful program would write one: it keeps its position."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.position = 0
        self.numbers: list[int] = []
        self.heard: Counter[str] = Counter()

    async def say(self, op: str, **members: Any) -> None:
        await self.socket.send(msgspec.json.encode({"op": op, **members}).decode())

    async def hear(self, op: str | None = None, seconds: float = 5.0) -> dict[str, Any]:
        """Return the next frame; with `op` it must be one of those."""
        told: dict[str, Any] = msgspec.json.decode(await asyncio.wait_for(self.socket.recv(), seconds))
        assert op is None or told["op"] == op, told
        return told

    async def subscribe(self, channel: str, since: int | None = None) -> dict[str, Any]:
        await self.say("subscribe", channel=channel, **({} if since is None else {"since": since}))
        return await self.hear("subscription")

    async def closed(self, seconds: float = 5.0) -> int:
        """Read on until the server closes, and return its code; `heard` counts what came before."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self.heard[msgspec.json.decode(await self.socket.recv())["op"]] += 1
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


@dataclass
class Live:
    """A running server, and what a test may turn."""

    db: Database
    hub: Hub
    keeper: Keeper
    rule: Rule
    port: int

    def admit(self, firm: Firm, role: str = "member") -> str:
        """Return a token for one person of a firm."""
        token = new_id().hex
        caller = firm.people[role]  # type: ignore[index]  # Role is a StrEnum
        self.keeper.entrants[token] = Entrant(firm.scope(role), caller.session)
        return token

    @asynccontextmanager
    async def stranger(self, **options: Any) -> AsyncIterator[Client]:
        """Open a socket that has not said who it is."""
        settings: dict[str, Any] = {"origin": ORIGIN, "compression": None, "proxy": None, "ping_interval": None}
        address: dict[str, Any] = {"host": "127.0.0.1", "port": self.port} if "sock" not in options else {}
        async with websockets.connect("ws://zena.test/ws", **address, **(settings | options)) as opened:
            client = Client(opened)
            await client.hear("connection")
            yield client

    def narrow_socket(self) -> socket.socket:
        """Return a connected socket that takes little before somebody reads from it."""
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        opened.connect(("127.0.0.1", self.port))
        opened.setblocking(False)
        return opened

    @asynccontextmanager
    async def client(self, token: str, **options: Any) -> AsyncIterator[Client]:
        async with self.stranger(**options) as client:
            await client.say("authenticate", token=token)
            await client.hear("authentication")
            yield client

    async def happen(self, firm: Firm, *numbers: int, project: UUID | None = None) -> None:
        """Commit one transaction with one event per number."""
        scope = firm.scope("owner")
        async with tenant_work(self.db, scope) as session:
            for number in numbers:
                moved = ProbeMoved(subject=new_id(), project=project, number=number)
                record(session, scope, moved)

    async def close_access(self, firm: Firm) -> None:
        scope = firm.scope("owner")
        async with tenant_work(self.db, scope) as session:
            record(session, scope, ProbeClosed(subject=new_id()))


def channel_of(firm: Firm, resource: str = "probes", object_id: object = None) -> str:
    tail = "" if object_id is None else f":{object_id}"
    return f"tenant:{firm.tenant}:{resource}{tail}"


@asynccontextmanager
async def serving(state: State, limits: Limits = CALM) -> AsyncIterator[Live]:
    """Serve the live connection behind the guard on a port of this machine."""
    rule, keeper = Rule(), Keeper()
    hub = Hub(state.db, Registry(channels={"probes": rule}), keeper, SystemClock(), limits)
    app = Litestar(
        route_handlers=[*realtime.ROUTES],
        dependencies={"reader": Provide(provide_reader)},
        exception_handlers=problem_handlers(),
        openapi_config=None,
    )
    app.state.zena = replace(state, hub=hub)
    config = uvicorn.Config(
        Guard(app, GuardRules(public_url=ORIGIN)),
        ws_max_size=65_536,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)  # so that a slow reader is felt soon
        listening.bind(("127.0.0.1", 0))
        await hub.start()
        task = asyncio.create_task(server._serve([listening]))
        await until(lambda: asyncio.sleep(0, server.started))
        try:
            yield Live(state.db, hub, keeper, rule, listening.getsockname()[1])
        finally:
            await hub.stop()
            server.should_exit = True
            await task


async def as_superuser(urls: ClusterUrls, sql: str, *values: object) -> object:
    """Run a statement that no role of the product may."""
    connection = await asyncpg.connect(urls.superuser)
    try:
        return await connection.fetchval(sql, *values)
    finally:
        await connection.close()


__all__ = ["CALM", "Client", "Forbidden", "Live", "NotFound", "channel_of", "serving"]
