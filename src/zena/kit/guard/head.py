"""Checks on everything before the body: sizes, method, Host, path, query, repeated and contradicting headers."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from zena.kit.errors import BadRequest, HeadersTooLarge, MethodNotAllowed, UnsupportedMedia, UriTooLong
from zena.kit.guard.peers import DROPPED, is_loopback
from zena.kit.guard.rules import LOOPBACK_HOSTS, MAX_HEADER_COUNT, MAX_HEADERS, MAX_URL, GuardRules

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_METHOD_SET = frozenset(METHODS)

_ONCE = frozenset({
    b"host", b"authorization", b"content-length", b"content-type", b"content-encoding", b"transfer-encoding",
    b"origin", b"sec-fetch-site", b"if-match", b"idempotency-key", b"x-zena-token",
})  # fmt: skip
_WATCHED = _ONCE | DROPPED | {b"x-request-id", b"cookie", b"accept", b"hx-request"}

_PERCENT_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"(?P<name>[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers the guard decides by, joined where they may repeat.

    Raises HeadersTooLarge over the limits, and BadRequest when a header that must be single comes twice.
    """
    size = count = 0
    seen: dict[bytes, bytes] = {}
    for name, value in headers:
        size += len(name) + len(value) + 4
        count += 1
        if name in _WATCHED:
            if name not in seen:
                seen[name] = value
            elif name in _ONCE:
                raise BadRequest(f"The header {name.decode()} was sent more than once.")
            else:
                seen[name] += (b"; " if name == b"cookie" else b",") + value
    if size > MAX_HEADERS or count > MAX_HEADER_COUNT:
        raise HeadersTooLarge(f"Headers may hold {MAX_HEADERS} bytes and {MAX_HEADER_COUNT} lines in all.")
    return seen


def check_target(scope: Mapping[str, Any]) -> None:
    """Refuse a path or query that is too long, or that does not decode to text as every later reader sees it."""
    path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    query: bytes = scope.get("query_string", b"")
    if len(path) + len(query) >= MAX_URL:
        raise UriTooLong(f"An address may have {MAX_URL} bytes.")
    decoded = path if b"%" not in path and path.isascii() else _decode(path, "path")
    if _CONTROL.search(decoded) or b"\\" in decoded:
        raise BadRequest("The path contains a character that is not allowed.")
    if b"%2f" in path.lower() or (b"/." in decoded and not {b".", b".."}.isdisjoint(decoded.split(b"/"))):
        raise BadRequest("The path contains an encoded slash or a dot segment.")
    if (b"%" in query or not query.isascii()) and b"\x00" in _decode(query, "query"):
        raise BadRequest("The query contains a NUL character.")


def check_method(scope: Mapping[str, Any]) -> None:
    """Refuse TRACE, CONNECT and everything else that no route of ours can have."""
    if scope["method"] not in _METHOD_SET:
        raise MethodNotAllowed(METHODS)


def check_host(seen: Mapping[bytes, bytes], peer: str, rules: GuardRules) -> None:
    """Accept the configured host names, and the names of loopback from this machine; X-Forwarded-Host never counts."""
    match = _HOST.fullmatch(seen.get(b"host", b"").decode("latin-1").lower())
    name = match["name"] if match else None
    if name in rules.hosts or (name in LOOPBACK_HOSTS and is_loopback(peer)):
        return
    raise BadRequest("This host name is not served here.", details={"header": "Host"})


def check_framing(seen: Mapping[bytes, bytes]) -> None:
    """Refuse what lets two readers see two bodies, and bodies that would have to be unpacked first."""
    if b"transfer-encoding" in seen and b"content-length" in seen:
        raise BadRequest("A request has either Content-Length or Transfer-Encoding.")
    if not seen.get(b"content-length", b"0").isdigit():
        raise BadRequest("Content-Length is not a number.")
    if seen.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMedia("Compressed request bodies are not accepted.", details={"header": "Content-Encoding"})


def _decode(raw: bytes, part: str) -> bytes:
    if _PERCENT_BROKEN.search(raw):
        raise BadRequest(f"The {part} contains a broken percent sequence.")
    decoded = unquote_to_bytes(raw)
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"The {part} is not valid UTF-8.") from None
    return decoded
