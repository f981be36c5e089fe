"""Answers kept for a day, so that a POST repeated with the same Idempotency-Key is told the same and done once.

The answer is stored in the transaction of the action it belongs to: either both are there or neither. Answers that hold
a secret (a new token, a link) are not stored; their replay says so.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, Response
from litestar.response.base import ASGIResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.errors import Conflict, Invalid
from zena.kit.scope import Scope

HEADER = "idempotency-key"
MAX_KEY = 200

_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_FIND = text(
    "SELECT route, body_hash, status, response, location FROM idempotency_key"
    " WHERE tenant_id = :tenant AND user_id = :user AND key = :key AND created_at > now() - interval '24 hours'"
)
_FORGET = text("DELETE FROM idempotency_key WHERE tenant_id = :tenant AND user_id = :user AND key = :key")
_KEEP = text(
    "INSERT INTO idempotency_key (tenant_id, user_id, key, route, body_hash, status, response, location)"
    " VALUES (:tenant, :user, :key, :route, :body_hash, :status, :response, :location)"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST that carries a key."""

    tenant: UUID
    user: UUID
    key: str
    route: str
    body_hash: bytes

    def row(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "user": self.user, "key": self.key}


class Replayed(Exception):  # noqa: N818 - not an error: the answer given before
    """Raised instead of running the handler: the stored answer is sent again."""

    def __init__(self, status: int, body: bytes | None, location: str | None) -> None:
        super().__init__("replayed")
        self.status, self.body, self.location = status, body, location


async def begin(session: AsyncSession, request: Request[Any, Any, Any], scope: Scope) -> Attempt | None:
    """Return the attempt if the request carries a key; raise Replayed if it was answered before.

    Refuses with 409 while the first attempt is still running, and when the key comes with another body or route.
    """
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None or scope.user is None or _is_excluded(request):
        return None
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise Invalid.field("Idempotency-Key", f"1 to {MAX_KEY} printable ASCII characters", "format")
    attempt = Attempt(scope.tenant, scope.user, key, request.url.path, hashlib.sha256(await request.body()).digest())
    if not await session.scalar(_LOCK, {"name": f"{attempt.tenant}:{attempt.user}:{key}"}):
        raise Conflict("The first request with this key is still running.", code="IDEMPOTENCY_KEY_CONFLICT")
    found = (await session.execute(_FIND, attempt.row())).mappings().first()
    if found is None:
        await session.execute(_FORGET, attempt.row())
        return attempt
    raise _replay(found, attempt)


async def keep(session: AsyncSession, attempt: Attempt, answer: "Answer | None") -> None:
    """Store what the handler answered, before the commit that makes it true."""
    if answer is None:
        return
    row = attempt.row() | {"route": attempt.route, "body_hash": attempt.body_hash, "status": answer.status}
    await session.execute(_KEEP, row | {"response": answer.body, "location": answer.location})


@dataclass(frozen=True, slots=True)
class Answer:
    """A rendered answer; `body` is None where it holds a secret."""

    status: int
    body: bytes | None
    location: str | None


@dataclass(frozen=True, slots=True)
class Noted:
    """A response that leaves its rendered form with the request: the session dependency finds it before commit."""

    response: Response[Any]

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **options: Any) -> ASGIResponse:
        sent = self.response.to_asgi_response(app, request, **options)
        body = None if request.route_handler.opt.get("secret") else sent.body
        request.scope["state"]["answer"] = Answer(sent.status_code, body, sent.headers.get("location"))
        return sent


async def note_answer(response: Any) -> Any:
    """`after_request` hook of the application."""
    return Noted(response) if isinstance(response, Response) else response


def replay_handler(_: Request[Any, Any, Any], replayed: Replayed) -> Response[bytes]:
    """Exception handler: send the stored answer again, marked as such."""
    headers = {"Idempotent-Replayed": "true"}
    if replayed.location:
        headers["Location"] = replayed.location
    body = replayed.body
    if body is None:
        body = b'{"replayed":true,"message":"This was done before. Its answer held a secret and was not stored."}'
    return Response(body, status_code=replayed.status, headers=headers, media_type="application/json")


def _replay(found: Mapping[Any, Any], attempt: Attempt) -> Exception:
    if found["route"] != attempt.route or bytes(found["body_hash"]) != attempt.body_hash:
        return Conflict("This key was used for another request.", code="IDEMPOTENCY_KEY_CONFLICT")
    return Replayed(found["status"], found["response"], found["location"])


def _is_excluded(request: Request[Any, Any, Any]) -> bool:
    return not request.url.path.startswith("/api/v1/app/")
