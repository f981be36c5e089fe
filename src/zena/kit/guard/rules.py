"""What the guard allows. Built once at start from the settings and from the upload paths that the slices declare."""

import re
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

Network: TypeAlias = IPv4Network | IPv6Network

MIB = 1024 * 1024
MAX_URL = 8 * 1024
MAX_HEADERS = 16 * 1024
MAX_HEADER_COUNT = 100
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_WS_SCHEME = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_HTTP_SCHEME = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class UploadPath:
    """A path that takes more than a form. `*` stands for one segment; `limit` is in bytes, of the whole body."""

    pattern: str
    limit: int
    types: tuple[str, ...] = ("multipart/form-data",)

    def regex(self) -> re.Pattern[str]:
        return re.compile("/".join("[^/]+" if part == "*" else re.escape(part) for part in self.pattern.split("/")))


@dataclass(frozen=True)
class GuardRules:
    """The few settings the guard needs.

    `trusted_proxies` holds addresses, networks and the word `unix` (a peer on a unix socket). `cookies` are the names
    whose presence makes a request one with ambient authority, and so subject to the strict cross-site rule.
    """

    public_url: str = "http://localhost:8000"
    websocket_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    uploads: tuple[UploadPath, ...] = ()
    static_prefix: str = "/static/"
    api_prefix: str = "/api/"
    cookies: tuple[str, ...] = ("__Host-zena", "zena_plain")
    max_body: int = MIB
    chunk_seconds: float = 30.0

    @cached_property
    def urls(self) -> tuple[str, ...]:
        return tuple(url for url in (self.public_url, self.websocket_url) if url)

    @cached_property
    def hosts(self) -> frozenset[str]:
        """Host names under which anybody may call; port numbers do not matter."""
        return frozenset(_hostname(url) for url in self.urls)

    @cached_property
    def origins(self) -> frozenset[str]:
        """Every `Origin` that is us. A loopback address answers to all of its names."""
        found = {origin_of(url) for url in self.urls}
        for url in self.urls:
            if _hostname(url) in LOOPBACK_HOSTS:
                found.update(origin_of(url, host=name) for name in LOOPBACK_HOSTS)
        return frozenset(found)

    @cached_property
    def secure(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        return tuple(ip_network(entry, strict=False) for entry in self.trusted_proxies if entry != "unix")

    @cached_property
    def cookie_marks(self) -> tuple[bytes, ...]:
        return tuple(name.encode() + b"=" for name in self.cookies)

    @cached_property
    def policy_parts(self) -> tuple[str, str, str]:
        """The Content-Security-Policy of a page, cut where the sources of scripts and of inline styles go."""
        sockets = " ".join(sorted({origin_of(url, schemes=_WS_SCHEME) for url in self.urls}))
        return (
            "default-src 'none'; script-src ",
            "; script-src-attr 'none'; style-src 'self'",
            f"; img-src 'self' data:; font-src 'self'; connect-src 'self' {sockets}{_NO_OTHERS}",
        )

    @cached_property
    def always(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers that every response carries unchanged."""
        transport = ((b"strict-transport-security", b"max-age=31536000; includeSubDomains"),) if self.secure else ()
        return (*_FIXED, *transport)

    def upload_for(self, path: str, content_type: str) -> UploadPath | None:
        """Return the declaration that covers this path and type, if a slice made one."""
        for upload, regex in self._compiled_uploads:
            if content_type in upload.types and regex.fullmatch(path):
                return upload
        return None

    @cached_property
    def _compiled_uploads(self) -> tuple[tuple[UploadPath, re.Pattern[str]], ...]:
        return tuple((upload, upload.regex()) for upload in self.uploads)


_NO_OTHERS = "; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
FILE_POLICY = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"

_FEATURES = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media", "geolocation",
    "gyroscope", "magnetometer", "microphone", "midi", "payment", "usb", "xr-spatial-tracking",
)  # fmt: skip

_FIXED = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _FEATURES).encode()),
)


def origin_of(url: str, *, host: str | None = None, schemes: dict[str, str] = _HTTP_SCHEME) -> str:
    """Return scheme://host[:port] of a URL as browsers write it: default ports left out."""
    parts = urlsplit(url)
    default = 443 if parts.scheme in {"https", "wss"} else 80
    port = f":{parts.port}" if parts.port and parts.port != default else ""
    return f"{schemes[parts.scheme]}://{host or _hostname(url)}{port}"


def _hostname(url: str) -> str:
    name = urlsplit(url).hostname or ""
    return f"[{name}]" if ":" in name else name.lower()
