"""What every operation of the API has in common, added to its description: headers, refusals, strictness of bodies."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from zena.kit.access import Access, Door
from zena.kit.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionRequired,
    Problem,
    RateLimited,
    Stale,
    StorageFull,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
    UriTooLong,
)
from zena.kit.pages import MAX_LIMIT

Described: TypeAlias = dict[str, Any]

APP: Final = "/api/v1/app/"
UNSAFE: Final = frozenset({"post", "put", "patch", "delete"})

_ALWAYS: Final = (BadRequest, UriTooLong, Invalid, RateLimited, Unavailable)
_ERROR: Final = {"$ref": "#/components/schemas/Problem"}
_FIELD: Final = {
    "type": "object",
    "required": ["path", "code", "message"],
    "properties": {name: {"type": "string"} for name in ("path", "code", "message")},
    "additionalProperties": False,
}
_TEXTS: Final = ("type", "title", "detail", "instance", "code", "message", "traceId")
_PROBLEM: Final = {
    "title": "Problem",
    "description": "RFC 9457, with `code` for programs. `details.fields` names each refused input.",
    "type": "object",
    "required": [*_TEXTS, "status", "ok", "details"],
    "properties": {
        **{name: {"type": "string"} for name in _TEXTS},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "ok": {"const": False},
        "details": {"type": "object", "properties": {"fields": {"type": "array", "items": _FIELD}}},
    },
    "additionalProperties": False,
}
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag the change is based on, or `*`.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[0-9]{1,18}")$'},
}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key within a day gets the same answer, and what is asked is done once.",
    "schema": {"type": "string", "pattern": "^[ -~]{1,200}$"},
}


def complete(schema: Described, doors: Mapping[tuple[str, str], Access]) -> None:
    """Add to a description, in place, what the routes do not say of themselves."""
    schemas: Described = schema["components"]["schemas"]
    schemas["Problem"] = _PROBLEM
    for path, item in schema["paths"].items():
        for verb, operation in item.items():
            access = doors[path, verb]
            if access.door is Door.PUBLIC and not access.choosy:
                operation["security"] = []
            _parameters(operation, path, verb)
            _answers(operation, verb, access)
            _close(schemas, operation.get("requestBody", {}))


def _parameters(operation: Described, path: str, verb: str) -> None:
    found: list[Described] = operation.setdefault("parameters", [])
    for parameter in found:
        if parameter["in"] == "query":
            parameter["schema"] = _without_null(parameter["schema"])
            if parameter["name"] == "limit":
                parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}
    if verb == "patch":
        found.append(_IF_MATCH)
    elif verb == "post" and path.startswith(APP):
        found.append(_IDEMPOTENCY_KEY)


def _without_null(kind: Described) -> Described:
    """A parameter that is left out is not there: no text in an address means null."""
    options = [option for option in kind.get("oneOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        return {**{name: value for name, value in kind.items() if name != "oneOf"}, **options[0]}
    if isinstance(kind.get("type"), list):
        values = [value for value in kind.get("enum", []) if value is not None]
        return {**kind, "type": next(one for one in kind["type"] if one != "null"), "enum": values}
    return kind


def _answers(operation: Described, verb: str, access: Access) -> None:
    answers: Described = operation["responses"]
    answers.pop("400", None)  # the framework's own shape, which never leaves
    for status, answer in answers.items():
        if status == "204":
            answer.pop("content", None)
    for problem in sorted(set(_refusals(operation, verb, access)), key=lambda kind: kind.status):
        content = {"application/problem+json": {"schema": _ERROR}}
        answers.setdefault(str(problem.status), {"description": str(problem.title), "content": content})


def _refusals(operation: Described, verb: str, access: Access) -> Iterator[type[Problem]]:
    """Yield what an operation may be refused with, by what it takes and who may call it."""
    yield from _ALWAYS
    body = "requestBody" in operation
    if access.door is not Door.PUBLIC or access.choosy or verb in UNSAFE:
        yield from (Unauthorized, Forbidden)
    if body or any(parameter["in"] == "path" for parameter in operation["parameters"]):
        yield NotFound
    if body:
        yield from (TooLarge, UnsupportedMedia)
    if verb in UNSAFE:
        yield from (Conflict, StorageFull)
    if verb == "patch":
        yield from (Stale, PreconditionRequired)


def _close(schemas: Described, kind: Any) -> None:
    """Say of every object that a body is made of what is so: a field that is not named is refused (B04)."""
    if isinstance(kind, list):
        for part in kind:
            _close(schemas, part)
    elif isinstance(kind, dict):
        name = str(kind.get("$ref", "")).rpartition("/")[2]
        if name and schemas[name].get("additionalProperties") is not False:
            if "properties" in schemas[name]:
                schemas[name]["additionalProperties"] = False
            _close(schemas, schemas[name])
        for part in kind.values():
            _close(schemas, part)
