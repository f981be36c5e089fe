"""The client itself: on httpcore, with a network backend that resolves once, checks, and dials what it checked."""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import httpcore

from zena.kit.http.policy import HttpPolicy, check_url

Resolver = Callable[[str, int], Awaitable[list[str]]]

_USER_AGENT: Final = b"Zena"
_OURS: Final = frozenset({"host", "accept-encoding", "connection", "transfer-encoding", "content-length", "user-agent"})
_MAX_ADDRESSES: Final = 8


class FetchFailed(Exception):  # noqa: N818 - a fact about the other side
    """No answer came. `reason` is one of refused, dns, connect, tls, timeout, protocol; fit for a delivery log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: never decompressed, never more than the policy's bytes, redirects included as they are."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    truncated: bool
    seconds: float


async def system_resolver(host: str, port: int) -> list[str]:
    """Ask the system for all addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class SafeHttp:
    """Calls other people's servers. One connection per request; no proxy of the environment, cookies or redirects."""

    def __init__(
        self,
        policy: HttpPolicy | None = None,
        *,
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy or HttpPolicy()
        self._tls = tls or ssl.create_default_context()
        self._backend = _CheckedBackend(self.policy, resolver)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Reply:
        """Send one request and return the answer's beginning.

        Raises Invalid (DESTINATION_NOT_ALLOWED) for a URL that is never allowed, FetchFailed for what happened then;
        a name that leads to a forbidden address is FetchFailed("refused"). Everything together ends in ten seconds.
        """
        destination = check_url(url, self.policy)
        request = httpcore.Request(
            method.encode("ascii"),
            httpcore.URL(
                scheme=destination.scheme.encode(),
                host=destination.host.encode(),
                port=destination.port,
                target=destination.target.encode(),
            ),
            headers=_headers(destination.authority, headers or {}, content),
            content=content,
        )
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.policy.seconds):
                return await self._exchange(request, began)
        except _RefusedError:
            raise FetchFailed("refused") from None
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise FetchFailed("timeout") from error
        except socket.gaierror as error:
            raise FetchFailed("dns") from error
        except httpcore.ConnectError as error:
            raise FetchFailed("tls" if isinstance(error.__cause__, ssl.SSLError) else "connect") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as error:
            raise FetchFailed("protocol") from error

    async def _exchange(self, request: httpcore.Request, began: float) -> Reply:
        connection = httpcore.AsyncHTTPConnection(
            request.url.origin, ssl_context=self._tls, network_backend=self._backend, retries=0, http2=False
        )
        try:
            response = await connection.handle_async_request(request)
            body, truncated = await self._read(response)
        finally:
            await connection.aclose()
        return Reply(response.status, _joined(response.headers), body, truncated, time.monotonic() - began)

    async def _read(self, response: httpcore.Response) -> tuple[bytes, bool]:
        """Read up to the limit; what lies beyond is never fetched."""
        body = b""
        stream: Any = response.stream
        async with aclosing(aiter(stream)) as chunks:  # left in the middle, it would end at some collection of garbage
            async for chunk in chunks:
                body += chunk
                if len(body) > self.policy.max_bytes:
                    return body[: self.policy.max_bytes], True
        return body, False


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name, repeated ones as one list (RFC 9110, section 5.3)."""
    found: dict[str, str] = {}
    for name, value in ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers):
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


class _RefusedError(Exception):
    """A name leads where we do not go."""


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once, refuses it if any of its addresses is forbidden, and connects to a checked address.

    TLS still verifies the name, since httpcore takes it from the URL.
    """

    def __init__(self, policy: HttpPolicy, resolver: Resolver) -> None:
        self._policy, self._resolver, self._inner = policy, resolver, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of the base
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolver(host, port)
        if not addresses or not all(self._policy.allows(address) for address in addresses):
            raise _RefusedError
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses[:_MAX_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def _headers(authority: str, given: Mapping[str, str], content: bytes) -> list[tuple[bytes, bytes]]:
    own = [
        (b"Host", authority.encode()),
        (b"User-Agent", _USER_AGENT),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]
    if content:
        own.append((b"Content-Length", str(len(content)).encode()))
    return own + [(n.encode("ascii"), v.encode("latin-1")) for n, v in given.items() if n.lower() not in _OURS]
