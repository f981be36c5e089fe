"""Named refusals. Each knows its HTTP status and its code of the API contract; none carries a stack, SQL or path."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from zena.kit.i18n import N_


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One refused input. `path` is the field's name as the caller sent it (dotted for nested, `[3]` for lists)."""

    path: str
    code: str
    message: str


def plain_text(value: Any) -> str:
    """Encode a sentence that is marked for translation as the English it is."""
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no place in an answer")


class Problem(Exception):  # noqa: N818 - the name is that of RFC 9457
    """A refusal told to the caller as one problem document (RFC 9457 plus the members of the API contract)."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "SERVER_ERROR"
    title: ClassVar[str] = N_("Something went wrong on our side")
    sought: tuple[tuple[str, str], ...] = ()

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.error_code = code or self.code
        self.details: dict[str, Any] = dict(details or {})
        self.headers: dict[str, str] = dict(headers or {})


class Malformed(Problem):
    """The input cannot be decoded at all."""

    status, code, title = 400, "MALFORMED_JSON", N_("The request could not be read")


class BadRequest(Problem):
    """The request line, a header or the path breaks HTTP or our limits of form."""

    status, code, title = 400, "BAD_REQUEST", N_("The request is not well formed")


class Unauthorized(Problem):
    """Nobody is signed in, or what was shown as proof is not valid."""

    status, code, title = 401, "UNAUTHORIZED", N_("Please sign in")


class Forbidden(Problem):
    """Known caller, refused verb. `permission` names what is missing."""

    status, code, title = 403, "FORBIDDEN", N_("You are not allowed to do this")

    def __init__(self, permission: str | None = None, detail: str | None = None, *, code: str | None = None) -> None:
        details = {"permission": str(permission)} if permission else {}
        super().__init__(
            detail
            or (N_("This needs the permission %(permission)s.", permission=str(permission)) if permission else None),
            code=code,
            details=details,
        )


class NotFound(Problem):
    """Not there, or not the caller's: both answers are the same bytes."""

    status, code, title = 404, "NOT_FOUND", N_("There is nothing here")

    @classmethod
    def of(cls, kind: str, *references: object) -> "NotFound":
        """Return the refusal for one kind of object, e.g. `of("task")` has the code TASK_NOT_FOUND.

        `references` are the ids or keys that were asked for. They are not told: attempts on other firms are found by
        them (kit/refused.py).
        """
        refusal = cls(
            f"This {kind.replace('_', ' ')} does not exist, or you cannot see it.", code=f"{kind.upper()}_NOT_FOUND"
        )
        refusal.sought = tuple((kind, str(one)) for one in references)
        return refusal


class MethodNotAllowed(Problem):
    """The address exists, the verb does not. `allow` becomes the header of that name."""

    status, code, title = 405, "METHOD_NOT_ALLOWED", N_("This address does not offer that method")

    def __init__(self, allow: Sequence[str]) -> None:
        super().__init__(details={"allow": list(allow)}, headers={"Allow": ", ".join(allow)})


class RequestTimeout(Problem):
    status, code, title = 408, "REQUEST_TIMEOUT", N_("The request took too long to arrive")


class Conflict(Problem):
    """The request contradicts the present state."""

    status, code, title = 409, "CONFLICT", N_("This conflicts with the present state")


class Stale(Problem):
    """If-Match named a version that is no longer current. `details.current` holds the row as it is now."""

    status, code, title = 412, "CONFLICT", N_("Somebody changed this meanwhile")


class TooLarge(Problem):
    status, code, title = 413, "PAYLOAD_TOO_LARGE", N_("That is too large")


class UriTooLong(Problem):
    status, code, title = 414, "URI_TOO_LONG", N_("The address is too long")


class UnsupportedMedia(Problem):
    status, code, title = 415, "UNSUPPORTED_MEDIA_TYPE", N_("This content type is not accepted here")


class Invalid(Problem):
    """Decoded and refused. `fields` names each refused input."""

    status, code, title = 422, "VALIDATION_FAILED", N_("Some fields need another value")

    def __init__(
        self,
        fields: Sequence[FieldError] = (),
        *,
        detail: str | None = None,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        merged = (
            {"fields": [msgspec.to_builtins(f, enc_hook=plain_text) for f in fields], **(details or {})}
            if fields
            else details
        )
        super().__init__(
            detail or "; ".join(f"{f.path}: {f.message}" for f in fields) or None, code=code, details=merged
        )
        self.fields = tuple(fields)

    @classmethod
    def field(cls, path: str, message: str, code: str = "invalid") -> "Invalid":
        """Refuse a single field."""
        return cls([FieldError(path, code, message)])


class PreconditionRequired(Problem):
    status, code, title = 428, "CONFLICT", N_("Send If-Match with the version you have seen")


class HeadersTooLarge(Problem):
    status, code, title = 431, "HEADERS_TOO_LARGE", N_("The headers are too large")


class RateLimited(Problem):
    """Too many requests; `retry_after` is in whole seconds."""

    status, code, title = 429, "RATE_LIMIT_EXCEEDED", N_("Too many attempts, please wait")

    def __init__(self, retry_after: int, detail: str | None = None) -> None:
        super().__init__(
            detail or N_("Try again in %(seconds)s s.", seconds=retry_after), headers={"Retry-After": str(retry_after)}
        )


class Unavailable(Problem):
    status, code, title = 503, "SERVICE_UNAVAILABLE", N_("The service is not available just now")


class Maintenance(Problem):
    """An operator has switched changes off, or closed the installation; `retry_after` is in whole seconds."""

    status, code, title = 503, "MAINTENANCE", N_("Zena is being looked after")

    def __init__(self, detail: str | None = None, *, retry_after: int = 60) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class StorageFull(Problem):
    """A disk under the database or the files is full; reading goes on."""

    status, code, title = 507, "STORAGE_FULL", N_("There is no room left to store this")


def problem_body(problem: Problem, request_id: str, instance: str) -> dict[str, Any]:
    """Return the one document in which every refusal leaves the API."""
    body = {
        "type": f"urn:zena:problem:{problem.error_code.lower().replace('_', '-')}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "ok": False,
        "code": problem.error_code,
        "message": problem.detail,
        "traceId": request_id,
        "details": problem.details,
    }
    encoded: dict[str, Any] = msgspec.to_builtins(body, enc_hook=plain_text)
    return encoded
