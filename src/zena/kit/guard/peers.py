"""Who is at the other end: the peer itself, or whom a proxy we trust names. Other claims in headers are dropped."""

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from zena.kit.guard.rules import GuardRules
from zena.kit.visit import Visit

FORWARDING = frozenset({
    b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix",
    b"x-forwarded-proto", b"x-forwarded-server", b"x-real-ip", b"x-client-ip", b"true-client-ip",
})  # fmt: skip
DROPPED = FORWARDING | {b"x-original-url", b"x-rewrite-url", b"x-http-method-override", b"x-method-override", b"proxy"}

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_MAX_HOPS = 20


def identify(scope: MutableMapping[str, Any], seen: Mapping[bytes, bytes], visit: Visit, rules: GuardRules) -> None:
    """Fill in the visit's client, scheme and locality, and make the scope agree with them."""
    peer = peer_of(scope)
    visit.client, visit.scheme = peer, scope.get("scheme", "http")
    forwarded = not FORWARDING.isdisjoint(seen)
    if rules.trusted_proxies and _trusted(peer, rules):
        _believe(scope, seen, visit, rules)
    visit.local = not forwarded and is_loopback(peer) and _host_name(seen) == b"localhost"
    if forwarded or not DROPPED.isdisjoint(seen):
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in DROPPED]


@lru_cache(maxsize=1024)
def is_loopback(address: str) -> bool:
    """Tell whether an address is this machine talking to itself, also in its IPv4-in-IPv6 form."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _believe(scope: MutableMapping[str, Any], seen: Mapping[bytes, bytes], visit: Visit, rules: GuardRules) -> None:
    """Take client, scheme and request id from a trusted proxy: the nearest hop that is not itself trusted."""
    hops = seen.get(b"x-forwarded-for", b"").decode("latin-1").split(",")[-_MAX_HOPS:]
    for hop in reversed(hops):
        address = _clean_address(hop)
        if address is None:
            break
        visit.client = address
        if not _trusted(address, rules):
            break
    proto = seen.get(b"x-forwarded-proto", b"").rsplit(b",", 1)[-1].strip().lower()
    if proto in {b"http", b"https"}:
        visit.scheme = proto.decode()
    scope["client"], scope["scheme"] = (visit.client, 0), visit.scheme
    inbound = seen.get(b"x-request-id", b"")
    if _REQUEST_ID.fullmatch(inbound):
        visit.request_id = inbound.decode()


def peer_of(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return client[0] if client and client[0] else "unix"


def _trusted(address: str, rules: GuardRules) -> bool:
    if address == "unix":
        return "unix" in rules.trusted_proxies
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return any((mapped or ip) in network for network in rules.proxies)


def _clean_address(hop: str) -> str | None:
    """Return one X-Forwarded-For entry as a plain address: `203.0.113.7:4711`, `[2001:db8::1]:80` lose their port."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].split("]", 1)[0]
    elif text.count(":") == 1:
        text = text.split(":", 1)[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _host_name(seen: Mapping[bytes, bytes]) -> bytes:
    return seen.get(b"host", b"").split(b":", 1)[0].lower()
