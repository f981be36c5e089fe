"""How a refusal leaves: as the one problem document for programs, as a page for people, as a way to sign in.

Whatever was not foreseen is logged with its stack and answered without any of it.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec
from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.types import ExceptionHandlersMap

from zena.kit.errors import (
    BadRequest,
    FieldError,
    Forbidden,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Problem,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
    problem_body,
)
from zena.kit.faults import classify_fault
from zena.kit.guard.answer import plain_page, wants_page
from zena.kit.guard.head import METHODS
from zena.kit.logs import get_logger
from zena.kit.refused import note_refusal, note_sought
from zena.kit.state import state_of
from zena.kit.text import safe_next
from zena.kit.visit import visit_of

log = get_logger(__name__)

AnyRequest = Request[Any, Any, Any]
PageRenderer = Callable[[AnyRequest, Problem], Response[str]]

PROBLEM_JSON: Final = "application/problem+json"
_HTML: Final = "text/html"  # the framework adds the charset
_SERVER_ERROR: Final = 500
_TOO_MANY_PARTS: Final = "Request Entity Too Large"  # what the framework says of a multipart body, with status 400
_MSGSPEC: Final = re.compile(r"(?P<text>.*?)(?: - at (?:`key` in )?`(?P<path>\$.*)`)?", re.DOTALL)
_NAMED: Final = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Missing required \S+ parameter '(?P<name>[^']+)'")
_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_SENT_HOME: Final = frozenset({"UNAUTHORIZED", "TOKEN_EXPIRED"})


def problem_handlers(render: PageRenderer | None = None, *, sign_in: str = "/sign-in") -> ExceptionHandlersMap:
    """Return the exception handlers of the application. `render` draws a problem as a page of ours."""

    def answer(request: AnyRequest, exc: Exception) -> Response[Any]:
        problem = as_problem(request, exc)
        if visit_of(request.scope).is_api or not _is_page(request):
            return problem_response(request, problem)
        if isinstance(problem, Unauthorized) and problem.error_code in _SENT_HOME:
            return _to_sign_in(request, sign_in)
        return _page(request, problem, render)

    return {Problem: answer, HTTPException: answer, Exception: answer}


def as_problem(request: AnyRequest, exc: BaseException) -> Problem:
    """Return the refusal an exception stands for, logging what the caller is not told."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    problem = exc if isinstance(exc, Problem) else _of_framework(request, exc) or _of_fault(request, exc)
    if problem is None:
        problem = Problem()
        facts = {"method": request.method, "route": _route(request)}
        log.error("unhandled error", code=problem.error_code, **facts, exc_info=exc)
    note_refusal(visit_of(request.scope), problem, method=request.method, route=_route(request))
    note_missing(request, [problem])
    return problem


def note_missing(request: AnyRequest, problems: Sequence[Problem]) -> None:
    """Hand on what these refusals did not find, for whoever looks for attempts on other firms."""
    if any(problem.sought for problem in problems):
        route = f"{request.method} {_route(request)}"
        note_sought(state_of(request).telemetry, visit_of(request.scope), route, problems)


def problem_response(request: AnyRequest, problem: Problem) -> Response[bytes]:
    """Answer with the problem document."""
    visit = visit_of(request.scope)
    headers = dict(problem.headers)
    if isinstance(problem, Unauthorized):
        error = ', error="invalid_token"' if problem.error_code.startswith("TOKEN_") else ""
        headers["WWW-Authenticate"] = f'Bearer realm="zena"{error}'
    body = msgspec.json.encode(problem_body(problem, visit.request_id, visit.path))
    return Response(body, status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)


def field_of(message: str) -> FieldError:
    """Read one message of msgspec: which field, in which way.

    >>> field_of("Expected `int`, got `str` - at `$.items[1].count`").path
    'items[1].count'
    """
    found = _MSGSPEC.fullmatch(message)
    path = ((found and found["path"]) or "$").removeprefix("$").removeprefix(".")
    text = found["text"] if found else message
    named = _NAMED.fullmatch(text)
    if named:
        inner = f"{path}.{named['name']}" if path else named["name"]
        if named["what"] == "missing required":
            return FieldError(inner, "required", "This is required.")
        return FieldError(inner, "unknown", "This field is not known here.")
    return FieldError(path or "body", _code_of(text), f"{text}.")


def malformed(exc: Exception) -> Malformed:
    """Return the refusal for text that no decoder understands, with the byte where it stopped if it said so."""
    found = _BYTE.search(str(exc))
    offset = int(found[1]) if found else 0
    return Malformed(f"The body is not valid JSON. (byte {offset})", details={"offset": offset})


def _of_framework(request: AnyRequest, exc: BaseException) -> Problem | None:
    if isinstance(exc, msgspec.ValidationError):
        return Invalid([field_of(str(exc))])
    if isinstance(exc, msgspec.DecodeError | SerializationException):
        return malformed(exc)
    if isinstance(exc, ValidationException):
        return _of_validation(exc)
    if isinstance(exc, HTTPException) and exc.status_code < _SERVER_ERROR:
        return _of_status(request, exc)
    return None


def _of_validation(exc: ValidationException) -> Problem:
    """Translate what the framework found wrong with parameters and forms; its own text names the URL, ours does not."""
    if not exc.extra:
        missing = _MISSING.match(exc.detail)
        return Invalid.field(missing["name"], "This is required.", "required") if missing else BadRequest()
    entries = [entry for entry in exc.extra if isinstance(entry, Mapping)]
    if any(entry.get("source") == ParamType.PATH for entry in entries):
        return NotFound()
    return Invalid([_field_of_entry(entry) for entry in entries])


def _field_of_entry(entry: Mapping[str, Any]) -> FieldError:
    message, key = str(entry.get("message", "")), str(entry.get("key", ""))
    if message.strip("'") == key:  # the framework's words for a parameter that is not there
        return FieldError("body" if key == "data" else key, "required", "This is required.")
    key = "" if key == "data" else key.replace(".[", "[")
    return field_of(f"{message} - at `$.{key}`" if key else message)


def _of_status(request: AnyRequest, exc: HTTPException) -> Problem:
    if exc.status_code == MethodNotAllowed.status:
        return MethodNotAllowed(_allowed_methods(request))
    if exc.status_code == BadRequest.status and isinstance(exc.__cause__, SerializationException):
        return malformed(exc.__cause__)
    if exc.detail == _TOO_MANY_PARTS:
        return TooLarge()
    if exc.status_code == RateLimited.status:
        return RateLimited(1)
    kinds: tuple[type[Problem], ...] = (Unauthorized, Forbidden, NotFound, TooLarge, UnsupportedMedia, Unavailable)
    kind = next((kind for kind in kinds if kind.status == exc.status_code), BadRequest)
    return kind()


def _of_fault(request: AnyRequest, exc: BaseException) -> Problem | None:
    problem = classify_fault(exc)
    if problem is not None:
        level = logging.ERROR if problem.status >= _SERVER_ERROR else logging.WARNING
        facts = {"error": type(exc).__name__, "route": _route(request), "reason": str(exc)[:300]}
        log.log(level, "fault", code=problem.error_code, **facts)
    return problem


def _page(request: AnyRequest, problem: Problem, render: PageRenderer | None) -> Response[str]:
    if render is not None:
        try:
            return render(request, problem)
        except Exception:
            log.exception("error page not drawn")
    body = plain_page(problem, visit_of(request.scope))
    return Response(body, status_code=problem.status, media_type=_HTML, headers=problem.headers)


def _to_sign_in(request: AnyRequest, sign_in: str) -> Response[str]:
    """Send an anonymous reader to sign in and back; htmx is told to go there as a whole."""
    is_part = request.headers.get("hx-request") == "true"
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if is_part or request.method not in {"GET", "HEAD"}:
        wanted = _path_of(request.headers.get("hx-current-url") or request.headers.get("referer"))
    target = safe_next(wanted)
    address = sign_in if target in {"/", sign_in} else f"{sign_in}?next={quote(target, safe='/')}"
    if is_part:
        return Response("", status_code=401, media_type=_HTML, headers={"HX-Redirect": address})
    return Response("", status_code=303, media_type=_HTML, headers={"Location": address})


def _path_of(url: str | None) -> str:
    try:
        parts = urlsplit(url or "/")
    except ValueError:
        return "/"
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _is_page(request: AnyRequest) -> bool:
    return wants_page(request.headers.get("accept", ""), is_api=False)


def _allowed_methods(request: AnyRequest) -> list[str]:
    """Return what the address does offer: the router's answer for each method, asked only for a refusal."""
    router = request.app.asgi_router
    path = request.scope["path"]
    found = []
    for method in METHODS:
        try:
            router.handle_routing(path=path.rstrip("/") or "/", method=method)
        except HTTPException:
            continue
        found.append(method)
    return found or list(METHODS)


def _route(request: AnyRequest) -> str:
    return str(request.scope.get("path_template") or "")


def _code_of(text: str) -> str:
    if "length" in text:
        return "length"
    if text.startswith("Invalid enum") or "matching regex" in text:
        return "choice" if "enum" in text else "pattern"
    return "type" if text.startswith("Expected") and "got" in text else "invalid"
