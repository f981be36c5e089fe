"""People of a lab: one signs in by the link of the first start, and several ask without pause."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_network
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from zena.kit.beside import beside
from zena.kit.http import FetchFailed, HttpPolicy, Reply, SafeHttp
from zena.kit.ids import new_id
from zena.operate.lab.contract import Asked, Way
from zena.operate.lab.place import Door

_ASKERS: Final = 4
_PAUSE: Final = 0.02
_PATIENCE: Final = 30.0
_AGAIN: Final = 0.5
#: Bytes that a slow reader takes at once, and its pause, seconds.
_SIP, _SIPS = 2_000, 0.1
_SESSION: Final = re.compile(r"(?:__Host-)?zena=[^;,]+")


@dataclass(slots=True)
class People:
    """Whoever asks at `url`. `asked` counts answers by status, 0 for none; `known` stands for {names} in paths."""

    url: str
    door: Door
    known: Mapping[str, str] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)
    _cookie: str = ""
    _http: SafeHttp = field(init=False)

    def __post_init__(self) -> None:
        port = urlsplit(self.url).port or 80
        loopback = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
        self._http = SafeHttp(HttpPolicy(ports=frozenset({port}), allowed_networks=loopback, seconds=_PATIENCE))

    async def enter(self, link: str) -> None:
        """Sign in by a link that works once."""
        reply = await self._send("POST", link, b"")
        found = _SESSION.search(reply.headers.get("set-cookie", ""))
        if found is None:
            raise FetchFailed("protocol")
        self._cookie = found[0]

    @asynccontextmanager
    async def busy(self, wishes: Sequence[Asked]) -> AsyncIterator[None]:
        """Ask for these things in turn, several at once, during the block; what is listened to stays open."""
        wanted = [(way, path.format_map(self.known)) for way, path in wishes]
        doors = {Way.LISTEN: self.url, Way.HEAR: self.door.url}
        listened = [(doors[way], path) for way, path in wanted if way in doors]
        asked = [one for one in wanted if one[0] not in doors]

        async def crowd() -> None:
            askers = (self._ask(itertools.islice(itertools.cycle(asked), n, None)) for n in range(_ASKERS))
            await asyncio.gather(*askers, *(self._listen(*one) for one in listened))

        async with beside(crowd()):
            yield

    async def _ask(self, wishes: "itertools.islice[Asked]") -> None:
        for way, path in wishes:
            status = 0
            with suppress(FetchFailed, OSError):
                status = await self._once(way, path)
            self.asked[status] = self.asked.get(status, 0) + 1
            await asyncio.sleep(_PAUSE)

    async def _once(self, way: Way, path: str) -> int:
        if way is Way.SOCKET:
            return await self._enter_live()
        if way in {Way.LEAVE, Way.SIP}:
            async with self._opened(self.url, path) as stream:
                taken = way is Way.SIP
                while taken:
                    taken = bool(await stream.read(_SIP))
                    await asyncio.sleep(_SIPS)
            return 0
        return (await self._send(way, self.url + path, _wrong())).status

    async def _listen(self, url: str, path: str) -> None:
        """Keep a stream of events open, and open it again whenever it ends."""
        while True:
            with suppress(OSError):
                async with self._opened(url, path) as stream:
                    while await stream.read(_SIP):
                        pass
            await asyncio.sleep(_AGAIN)

    @asynccontextmanager
    async def _opened(self, url: str, path: str) -> AsyncIterator[asyncio.StreamReader]:
        """Ask, and lend the answer as it comes: whoever leaves the block leaves it where it is."""
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=_SIP)
        try:
            head = [f"GET {path} HTTP/1.1", f"host: {place.netloc}", f"cookie: {self._cookie}", "connection: close"]
            writer.write("\r\n".join([*head, "", ""]).encode())
            await writer.drain()
            yield reader
        finally:
            writer.close()

    async def _enter_live(self) -> int:
        """Get a ticket, open a socket and show the ticket there; return 101 when let in, 0 when not."""
        given = await self._send("POST", f"{self.url}/api/v1/auth/ticket", b"{}")
        if given.status != HTTPStatus.OK:
            return given.status
        told = {"op": "authenticate", "ticket": json.loads(given.body)["ticket"]}
        headers = {"cookie": self._cookie}  # a browser sends it: another port is the same site
        address = f"ws{self.door.url.removeprefix('http')}/ws"
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                connect(address, origin=Origin(self.door.page), additional_headers=headers, proxy=None) as socket,
            ):
                await socket.recv()
                await socket.send(json.dumps(told))
                welcome = json.loads(await socket.recv())
        except (WebSocketException, OSError, TimeoutError):
            return 0
        return HTTPStatus.SWITCHING_PROTOCOLS if welcome["op"] == "authentication" else 0

    async def _send(self, method: str, url: str, content: bytes) -> Reply:
        headers = {"cookie": self._cookie} if self._cookie else {}
        if method != Way.POST:
            return await self._http.send(method, url, headers=headers)
        headers |= {"origin": self.url} | ({"content-type": "application/json"} if content else {})
        return await self._http.send(method, url, headers=headers, content=content)


def _wrong() -> bytes:
    """Return what is sent with a POST: somebody mistypes a password, each time another person."""
    return json.dumps({"email": f"{new_id().hex}@meridian.example", "password": "not-the-password"}).encode()
