"""The API's description for programs, and the same for people: one page, no script."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.access import signed_in
from zena.kit.html import page
from zena.kit.state import state_of

VERBS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the page."""

    verb: str
    path: str
    summary: str
    parameters: list[dict[str, Any]]
    fields: list[tuple[str, str, bool]]
    answers: list[tuple[str, str]]

    @property
    def group(self) -> str:
        """The part of the path that names the resource."""
        parts = [part for part in self.path.split("/") if part and not part.startswith("{")]
        return parts[3] if len(parts) > 3 and parts[2] == "app" else parts[2]  # noqa: PLR2004 - /api/v1/app/NAME


@get("/api/v1/openapi.json", opt=signed_in(), responses={200: ResponseSpec(dict[str, Any], generate_examples=False)})
async def openapi(request: Request[Any, Any, Any], session: AsyncSession) -> Response[bytes]:
    """The OpenAPI 3.1 description of this API."""
    del session  # asked for because it authenticates
    return Response(_description(request), media_type="application/json")


@get("/docs/api", opt=signed_in())
async def api_page(request: Request[Any, Any, Any], session: AsyncSession) -> Response[str]:
    schema = msgspec.json.decode(_description(request))
    operations = sorted(operations_of(schema), key=lambda op: (op.group, op.path, VERBS.index(op.verb)))
    groups = [(name, list(found)) for name, found in groupby(operations, key=lambda op: op.group)]
    return await page(request, session, "api/docs.html", title=schema["info"]["title"], groups=groups)


def operations_of(schema: dict[str, Any]) -> Iterator[Operation]:
    """Read the operations out of an OpenAPI document."""
    for path, item in schema["paths"].items():
        for verb in VERBS:
            if verb in item:
                yield _operation(schema, path, verb, item[verb])


def _operation(schema: dict[str, Any], path: str, verb: str, found: dict[str, Any]) -> Operation:
    return Operation(
        verb=verb,
        path=path,
        summary=found.get("description") or found.get("summary", ""),
        parameters=[parameter for parameter in found.get("parameters", []) if parameter["in"] != "cookie"],
        fields=_fields(schema, found),
        answers=[(status, answer.get("description", "")) for status, answer in found.get("responses", {}).items()],
    )


def _fields(schema: dict[str, Any], found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    contents: dict[str, dict[str, Any]] = found.get("requestBody", {}).get("content", {})
    body = _resolved(schema, next(iter(contents.values()), {}).get("schema", {}))
    required = body.get("required", [])
    return [(name, _kind(schema, kind), name in required) for name, kind in body.get("properties", {}).items()]


def _kind(schema: dict[str, Any], kind: dict[str, Any]) -> str:
    if "oneOf" in kind:
        return " | ".join(_kind(schema, option) for option in kind["oneOf"])
    resolved = _resolved(schema, kind)
    if "enum" in resolved:
        return " | ".join(str(value) for value in resolved["enum"])
    if resolved.get("type") == "array":
        return f"{_kind(schema, resolved.get('items', {}))}[]"
    return str(resolved.get("format") or resolved.get("type") or resolved.get("title", "any"))


def _resolved(schema: dict[str, Any], kind: dict[str, Any]) -> dict[str, Any]:
    reference = kind.get("$ref")
    if not reference:
        return kind
    found: dict[str, Any] = schema["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _description(request: Request[Any, Any, Any]) -> bytes:
    return state_of(request).described()


ROUTES = [openapi, api_page]
