"""One request or socket as the guard let it in: who really called, under which id. Logs and handlers read it."""

import secrets
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from zena.kit.tally import Tally

_KEY = "visit"
_current: ContextVar["Visit | None"] = ContextVar("zena_visit", default=None)


@dataclass(slots=True)
class Visit:
    """Made by the guard, once per connection.

    `client` is the address after trusted proxies, `scheme` likewise. `local` is true only for a caller on this machine
    that came without any proxy. `tenant`, `user` and `way` are set after authentication, for the log lines.
    """

    request_id: str
    client: str = ""
    scheme: str = "http"
    local: bool = False
    is_api: bool = False
    path: str = "/"
    tenant: str | None = None
    user: str | None = None
    way: UUID | None = None  # the session or token they came by
    code: str | None = None  # of the refusal, for the access line
    blamed: bool = False  # an error of this request has been counted
    made_nonce: str | None = field(default=None, repr=False)
    tally: Tally = field(default_factory=Tally, repr=False)

    @property
    def nonce(self) -> str:
        """The nonce of this response's scripts and styles; asking for it is what puts it into the policy header."""
        if self.made_nonce is None:
            self.made_nonce = secrets.token_urlsafe(16)
        return self.made_nonce


def admit(scope: Mapping[str, Any], visit: Visit) -> None:
    """Attach the visit to its ASGI scope and to the log lines of this task."""
    scope["state"][_KEY] = visit
    _current.set(visit)


def visit_of(scope: Mapping[str, Any]) -> Visit:
    """Return the visit of an ASGI scope; without a guard in front (a test, a script) a bare one."""
    state = scope.get("state") or {}
    visit = state.get(_KEY)
    return cast("Visit", visit) if visit is not None else Visit(request_id="none", path=str(scope.get("path", "/")))


#: Returns the visit this task serves, or None. For log lines and measuring only: code takes its caller as an argument.
current_visit: Callable[[], Visit | None] = _current.get
