"""Headers that every response carries, and the guard's own refusals (those that no route ever saw)."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from markupsafe import escape

from zena.kit.errors import Problem, problem_body
from zena.kit.guard.rules import FILE_POLICY, GuardRules
from zena.kit.visit import Visit

Message: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Pairs: TypeAlias = Iterable[tuple[bytes, bytes]]

_PAGE: Final = b"text/html"
_PRIVATE: Final = (b"no-store", b"private", b"no-cache")
_DROPPED: Final = frozenset({b"server", b"x-powered-by"})


@dataclass(slots=True)
class Dressed:
    """A `send` that gives each response its security headers and remembers what was answered."""

    send: Send
    visit: Visit
    rules: GuardRules
    static: bool
    close: Callable[[], bool]
    status: int = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._headers(message.get("headers", ()))
        await self.send(message)

    def _headers(self, given: Pairs) -> list[tuple[bytes, bytes]]:
        rules, visit = self.rules, self.visit
        media = cached = vary = policy = b""
        kept: list[tuple[bytes, bytes]] = []
        for name, value in given:
            lower = name.lower()
            if lower == b"cache-control":
                cached = value
            elif lower == b"vary":
                vary = value
            elif lower == b"content-security-policy":
                policy = value
            elif lower not in _DROPPED:
                kept.append((lower, value))
                if lower == b"content-type":
                    media = value
        kept += rules.always
        kept.append((b"x-request-id", visit.request_id.encode()))
        kept.append((b"content-security-policy", policy or _policy(media, visit, rules)))
        kept += _caching(cached, vary, static=self.static and self.status < 400)  # noqa: PLR2004 - only what was found
        if self.close():
            kept.append((b"connection", b"close"))
        return kept


async def refuse(send: Send, visit: Visit, problem: Problem, *, html: bool) -> None:
    """Answer with a problem document, or with a plain page for somebody at a browser."""
    if html:
        body, media = plain_page(problem, visit).encode(), b"text/html; charset=utf-8"
    else:
        body = msgspec.json.encode(problem_body(problem, visit.request_id, visit.path))
        media = b"application/problem+json"
    extra = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    headers = [(b"content-type", media), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def plain_page(problem: Problem, visit: Visit) -> str:
    """Return a page that needs nothing: no template, no style, no database."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(problem.title)}</title><h1>{escape(problem.title)}</h1><p>{escape(problem.detail)}</p>"
        f"<p><small>{problem.status} · {escape(visit.request_id)}</small></p></html>"
    )


def wants_page(accept: str, *, is_api: bool) -> bool:
    """Tell whether a refusal should be a page: outside the API, unless the caller asks for JSON and not for HTML."""
    return not is_api and ("html" in accept or "json" not in accept)


def _caching(cached: bytes, vary: bytes, *, static: bool) -> Iterable[tuple[bytes, bytes]]:
    """Keep answers out of every cache, except files under their hashed names (D05)."""
    if static:
        return [(b"cache-control", cached or b"no-cache"), *([(b"vary", vary)] if vary else [])]
    if b"cookie" not in vary.lower():
        vary = vary + b", Cookie" if vary else b"Cookie"
    return [(b"cache-control", cached if cached.startswith(_PRIVATE) else b"no-store"), (b"vary", vary)]


def _policy(media: bytes, visit: Visit, rules: GuardRules) -> bytes:
    if not media.startswith(_PAGE):
        return FILE_POLICY
    nonce = visit.made_nonce
    before, middle, after = rules.policy_parts
    if nonce is None:
        return (before + "'none'" + middle + after).encode()
    source = f"'nonce-{nonce}'"
    return f"{before}{source}{middle} {source}{after}".encode()


def accept_of(seen: Mapping[bytes, bytes]) -> str:
    return seen.get(b"accept", b"").decode("latin-1")
