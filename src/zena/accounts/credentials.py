"""What a caller shows to be let in, and how it is named when it opens nothing."""

import hashlib
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection

from zena.kit.errors import Unauthorized
from zena.kit.state import State

Connection = ASGIConnection[Any, Any, Any, Any]

SECURE_COOKIE = "__Host-zena"
PLAIN_COOKIE = "zena_plain"


@dataclass(frozen=True, slots=True)
class Credential:
    """What the caller showed: a session's cookie, an API token or a socket ticket, as its SHA-256."""

    kind: str
    digest: bytes

    @classmethod
    def of(cls, kind: str, value: str) -> "Credential":
        return cls(kind, hashlib.sha256(value.encode()).digest())


def cookie_name(state: State) -> str:
    """Return the session cookie's name: host-bound wherever the browser trusts the origin."""
    return SECURE_COOKIE if state.is_secure else PLAIN_COOKIE


def credential_of(connection: Connection, state: State) -> Credential | None:
    """Return the credential a request carries; a bearer token wins over a cookie."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Use the Bearer scheme.", code="TOKEN_INVALID")
        return Credential.of("token", token.strip())
    cookie = connection.cookies.get(cookie_name(state))
    return Credential.of("session", cookie) if cookie else None


def unknown(credential: Credential) -> Unauthorized:
    if credential.kind == "token":
        return Unauthorized("This token is unknown, expired or revoked.", code="TOKEN_INVALID")
    return Unauthorized("This session has ended. Sign in again.")
