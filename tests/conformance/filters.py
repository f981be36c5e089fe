"""Taking the tenant's predicate out of a statement, as a forgotten line in the query layer would."""

import re
from collections.abc import Iterator

_COLUMN = r"(?:\b\w+\.)?\btenant_id"
_BOUND = r"\$\d+(?:::uuid)?"
#: `t.tenant_id = $1`, `t.tenant_id = p.tenant_id`, and the row of the firm itself: `tenant.id = $1`.
PREDICATE = re.compile(
    rf"{_COLUMN}\s*=\s*(?:(?P<bound>{_BOUND})|{_COLUMN})(?!\w)|\btenant\.id\s*=\s*(?P<firm>{_BOUND})(?!\w)",
    re.IGNORECASE,
)
#: Statements that read or change rows of a firm.
TENANT_TABLES = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?P<table>[a-z_]+)\b", re.IGNORECASE)


def without_any(text: str) -> str:
    """Return a statement with none of its tenant predicates left."""
    return PREDICATE.sub(_true, text)


def without_one(text: str) -> Iterator[str]:
    """Return the statement once per tenant predicate, that one taken out."""
    for match in PREDICATE.finditer(text):
        yield text[: match.start()] + _true(match) + text[match.end() :]


def count(text: str) -> int:
    return len(PREDICATE.findall(text))


def tables_of(text: str) -> set[str]:
    return {match["table"].lower() for match in TENANT_TABLES.finditer(text)}


def _true(match: re.Match[str]) -> str:
    """Stand in for a predicate: always true. A parameter stays in it, so that the server still knows its type."""
    bound = match["bound"] or match["firm"]
    return f"({bound.partition('::')[0]}::uuid IS NOT NULL OR TRUE)" if bound else "TRUE"
