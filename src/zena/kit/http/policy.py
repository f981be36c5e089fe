"""Which destinations are allowed: the form of a URL, and every address a name resolves to."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from zena.kit.errors import Invalid

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_URL: Final = 2000
NOT_ALLOWED: Final = "DESTINATION_NOT_ALLOWED"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,40}|\[[0-9a-f:.]{2,45}\]", re.IGNORECASE)

# What `ipaddress` calls global and is not, or is the inside of a cloud: translated and tunnelled IPv4, multicast,
# carrier NAT, benchmarks, documentation, discard, the platform address of one provider.
_DENIED: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/96", "64:ff9b::/96",
        "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        "5f00::/16", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Limits of the client. `allowed_networks` opens inner networks that the operator means (a webhook in the LAN)."""

    ports: frozenset[int] = frozenset({80, 443, 8080, 8443})
    https_only: bool = False
    allowed_networks: tuple[Network, ...] = ()
    denied_networks: tuple[Network, ...] = ()
    seconds: float = 10.0
    max_bytes: int = 64 * 1024

    def allows(self, address: str) -> bool:
        """Tell whether a connection may go to this address."""
        try:
            ip = ip_address(address)
        except ValueError:
            return False  # also scoped addresses: fe80::1%eth0
        if getattr(ip, "scope_id", None):
            return False
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if _within(ip, self.denied_networks):
            return False
        if _within(ip, self.allowed_networks):
            return True
        inside = ip.is_private or ip.is_reserved or ip.is_multicast or ip.is_loopback or ip.is_link_local
        return ip.is_global and not inside and not _within(ip, _DENIED)


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL taken apart; `host` is a name or an address without brackets, `authority` what the Host header says."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, policy: HttpPolicy, field: str = "url") -> Destination:
    """Return where a URL leads; raise Invalid, without saying what is there, for one we would never call.

    For the moment somebody enters it. The address itself is checked when the connection is made: names change.
    """
    destination = _parse(url, policy)
    if destination is None or (_is_address(destination.host) and not policy.allows(destination.host)):
        raise not_allowed(field)
    return destination


def not_allowed(field: str = "url") -> Invalid:
    """Return the one refusal for every reason, so that it tells nothing about our network."""
    problem = Invalid.field(field, "This destination is not allowed.", "destination")
    problem.error_code = NOT_ALLOWED
    return problem


def _parse(url: str, policy: HttpPolicy) -> Destination | None:
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    schemes = {"https"} if policy.https_only else set(_DEFAULT_PORTS)
    if parts.scheme not in schemes or "@" in parts.netloc or not _plain_authority(parts):
        return None
    port = port if port is not None else _DEFAULT_PORTS[parts.scheme]
    if port not in policy.ports:
        return None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, (parts.hostname or "").lower(), port, target)


def _plain_authority(parts: SplitResult) -> bool:
    """Refuse hosts that resolvers read as numbers, such as 2130706433, 0x7f.1 or 127.1, and non-names."""
    host = parts.netloc.rsplit(":", 1)[0] if not parts.netloc.endswith("]") else parts.netloc
    if not _HOST.fullmatch(host):
        return False
    last = host.rsplit(".", 1)[-1].lower()
    looks_numeric = last.isdigit() or last.startswith("0x")
    return not looks_numeric or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _within(ip: Address, networks: tuple[Network, ...]) -> bool:
    return any(ip in network for network in networks)
