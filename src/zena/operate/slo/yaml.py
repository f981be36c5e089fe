"""YAML for files that other tools read: mappings, lists and scalars. Texts are quoted as JSON quotes them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def as_yaml(*documents: Mapping[str, Any]) -> str:
    """Return the documents as one text, `---` between them."""
    return "---\n".join("\n".join(_mapping(one, "")) + "\n" for one in documents)


def _mapping(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from _mapping(value, indent + "  ")
        elif isinstance(value, list) and value:
            yield f"{indent}{key}:"
            yield from _list(value, indent + "  ")
        else:
            yield f"{indent}{key}: {json.dumps(value, ensure_ascii=False)}"


def _list(values: Sequence[Any], indent: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping) and value:
            first, *rest = _mapping(value, indent + "  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{indent}- {json.dumps(value, ensure_ascii=False)}"
