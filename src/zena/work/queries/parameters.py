"""Query parameters of lists: each given once, known by name, and refused by name (422) when wrong."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.kit.text import clean_name

_DIGITS = 9


def once(params: Iterable[tuple[str, str]], known: Any) -> dict[str, str]:
    """Return parameters by name; refuse unknown, repeated and empty ones."""
    given: dict[str, str] = {}
    for name, value in params:
        if name not in known:
            raise Invalid.field(name, N_("There is no such parameter."), "unknown")
        if name in given:
            raise Invalid.field(name, N_("Give this once."), "repeated")
        if not value:
            raise Invalid.field(name, N_("This must not be empty."), "blank")
        given[name] = value
    return given


def choices(value: str, field: str, allowed: Sequence[str]) -> list[str]:
    """Return the words of a comma-separated value, each one of `allowed`."""
    chosen = value.split(",")
    if not set(chosen) <= set(allowed):
        raise Invalid.field(field, N_("One of %(allowed)s.", allowed=", ".join(allowed)), "choice")
    return chosen


def choice(value: str, field: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise Invalid.field(field, N_("One of %(allowed)s.", allowed=", ".join(allowed)), "choice")
    return value


def like(value: str, field: str) -> str:
    """Return the pattern that finds a text anywhere, its own wildcards taken literally."""
    words = clean_name(value, field, 200).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{words}%"


def uuid(value: str, field: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise Invalid.field(field, N_("This is not an id."), "format") from None


def day(value: str, field: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Invalid.field(field, N_("A date such as 2026-03-31."), "format") from None


def number(value: str, field: str) -> int:
    if not value.isascii() or not value.isdecimal() or len(value) > _DIGITS:
        raise Invalid.field(field, N_("A whole number."), "format")
    return int(value)
