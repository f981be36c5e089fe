"""The guard itself: an ASGI application around the application."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from zena.kit.csrf import SAFE_METHODS, check_same_site, origin_allowed
from zena.kit.errors import Problem
from zena.kit.guard.answer import Dressed, Message, Send, accept_of, refuse, wants_page
from zena.kit.guard.body import Body, Receive, announced_body
from zena.kit.guard.head import check_framing, check_host, check_method, check_target, read_headers
from zena.kit.guard.peers import identify, peer_of
from zena.kit.guard.rules import GuardRules
from zena.kit.ids import new_id
from zena.kit.logs import get_logger
from zena.kit.refused import note_refusal
from zena.kit.telemetry import Telemetry
from zena.kit.visit import Visit, admit

log = get_logger(__name__)
security = get_logger("zena.security")

_MAX_PATH = 1024

Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Guard:
    """Wraps an ASGI application; main.py serves this instead of the framework's."""

    def __init__(self, app: Any, rules: GuardRules, telemetry: Telemetry | None = None) -> None:
        self.app = app
        self.rules = rules
        self.telemetry = telemetry or Telemetry()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        scope.setdefault("state", {})
        visit = Visit(new_id().hex, path=path[:_MAX_PATH], is_api=path.startswith(self.rules.api_prefix))
        admit(scope, visit)
        if kind == "websocket":
            await self._socket(scope, receive, send, visit)
        else:
            await self._request(scope, receive, send, visit)

    async def _request(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        began, body = time.perf_counter(), None
        unread = _must_close(scope)
        out = Dressed(send, visit, self.rules, visit.path.startswith(self.rules.static_prefix), lambda: unread(body))
        accept = ""
        try:
            seen = read_headers(scope["headers"])
            accept = accept_of(seen)
            self._note_stripped(scope, seen)
            body = self._check(scope, seen, visit)
            await self.app(scope, body.reader(receive) if body else receive, out)
        except Problem as problem:
            if out.status:
                raise
            note_refusal(visit, problem, method=scope["method"], route=str(scope.get("path_template") or ""))
            await refuse(out, visit, problem, html=wants_page(accept, is_api=visit.is_api))
        except Exception:
            # The framework answers its own errors; this is one in a layer around it, or a body that broke off.
            if out.status:
                raise
            log.exception("unhandled error outside of the routes", code=Problem.code, path=visit.path)
            await refuse(out, visit, Problem(), html=wants_page(accept, is_api=visit.is_api))
        finally:
            if self.telemetry.on_request:
                route = str(scope.get("path_template") or "")
                self.telemetry.request(route, scope["method"], out.status, time.perf_counter() - began)

    def _check(self, scope: Scope, seen: dict[bytes, bytes], visit: Visit) -> Body | None:
        """Apply every rule that needs no body; return what may follow."""
        rules, peer = self.rules, peer_of(scope)
        identify(scope, seen, visit, rules)
        check_method(scope)
        check_target(scope)
        check_host(seen, peer, rules)
        check_framing(seen)
        if scope["method"] not in SAFE_METHODS:
            check_same_site(seen, rules.origins, cookie=self._has_cookie(seen))
        return announced_body(seen, scope["path"], rules)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        """Refuse a socket from a foreign page before it is accepted: the server answers 403 (G01).

        A browser sends our cookie only from a page of this site: then it is the address that we are told that is wrong.
        """
        ours = False
        try:
            seen = read_headers(scope["headers"])
            ours = self._has_cookie(seen)
            peer = peer_of(scope)
            identify(scope, seen, visit, self.rules)
            check_target(scope)
            check_host(seen, peer, self.rules)
            allowed = self._socket_allowed(seen)
        except Problem:
            allowed = False
        if allowed:
            await self.app(scope, receive, send)
            return
        self.telemetry.live("enter", "origin" if ours else "foreign")
        security.warning("socket refused before accept", path=visit.path, client=visit.client)
        await receive()
        await send(_CLOSED)

    def _socket_allowed(self, seen: Mapping[bytes, bytes]) -> bool:
        origin = seen[b"origin"].decode("latin-1") if b"origin" in seen else None
        bearer = seen.get(b"authorization", b"")[:7].lower() == b"bearer "
        return origin_allowed(origin, self.rules.origins, bearer=bearer)

    def _note_stripped(self, scope: Scope, seen: Mapping[bytes, bytes]) -> None:
        """Count what was a socket when a page of ours asked for it, and is none any more when it comes here."""
        if not scope["path"].endswith(_SOCKETS) or all(name != _KEY for name, _ in scope["headers"]):
            return
        if self._has_cookie(seen) or (b"origin" in seen and self._socket_allowed(seen)):
            self.telemetry.live("enter", "no_upgrade")

    def _has_cookie(self, seen: Mapping[bytes, bytes]) -> bool:
        cookie = seen.get(b"cookie", b"")
        return any(mark in cookie for mark in self.rules.cookie_marks)


#: Where sockets are opened, and the header that a browser sends with it and no proxy takes out.
_SOCKETS, _KEY = "/ws", b"sec-websocket-key"
_CLOSED: Message = {"type": "websocket.close", "code": 1008, "reason": ""}


def _must_close(scope: Scope) -> Callable[[Body | None], bool]:
    """Return the test whether a connection must end with its answer: a body was announced and not read to its end."""
    announced = any(
        name in {b"transfer-encoding", b"content-length"} and value != b"0" for name, value in scope["headers"]
    )
    return lambda body: announced and (body is None or not body.done)
