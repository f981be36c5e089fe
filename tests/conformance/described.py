"""What the API's own description says of the bodies it takes: which fields, of which kinds, where."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.crawl import PARAMETER
from tests.matrix import Row


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body. `kinds` holds types and formats, such as {"string", "date", "null"}.

    `beside` names the fields of its object that must be there too.
    """

    row: Row
    path: tuple[str, ...]
    kinds: frozenset[str]
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def in_body(self, world: Mapping[str, str], value: Any) -> dict[str, Any]:
        """Return the row's good body with this value in this place."""
        body: dict[str, Any] = dict(self.row.json(world)) if self.row.json else {}
        inner = body
        for step in self.path[:-1]:
            inner[step] = dict(inner.get(step) or {})
            inner = inner[step]
        for name in self.beside:
            inner.setdefault(name, "x")
        inner[self.path[-1]] = value
        if self.path == ("reason",):
            body.setdefault("status", "canceled")  # what a reason is for
        return body


def fields_of(document: Mapping[str, Any], rows: list[Row]) -> list[Field]:
    """Return every field of every JSON body, those inside of objects too."""
    found: list[Field] = []
    for row in rows:
        operation = document["paths"].get(PARAMETER.sub(r"{\1}", row.path), {}).get(row.method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            found += _fields(document, row, content["application/json"]["schema"], ())
    return found


def _fields(document: Mapping[str, Any], row: Row, schema: Any, path: tuple[str, ...]) -> Iterator[Field]:
    for option in _options(document, schema):
        for name, inner in option.get("properties", {}).items():
            kinds = frozenset(kind for one in _options(document, inner) for kind in _kinds(one))
            yield Field(row, (*path, name), kinds, tuple(option.get("required", ())))
            yield from _fields(document, row, inner, (*path, name))


def _options(document: Mapping[str, Any], schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what a schema may be, with references followed."""
    if "$ref" in schema:
        yield from _options(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    elif "oneOf" in schema:
        for one in schema["oneOf"]:
            yield from _options(document, one)
    else:
        yield schema


def _kinds(schema: Mapping[str, Any]) -> Iterator[str]:
    kind = schema.get("type", "object")
    yield from [kind] if isinstance(kind, str) else kind
    if "format" in schema:
        yield schema["format"]
    if "enum" in schema:
        yield "enum"
