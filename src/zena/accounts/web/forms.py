"""Fields of HTML forms."""

from collections.abc import Mapping
from typing import Any

from zena.kit.errors import Invalid
from zena.kit.i18n import N_

Form = Mapping[str, Any]


def one(form: Form, name: str) -> str:
    """Return a field's value, empty when it was not sent; refuse a field sent twice, or a file."""
    values = many(form, name)
    if len(values) > 1:
        raise Invalid.field(name, N_("Give this once."), "repeated")
    return values[0] if values else ""


def many(form: Form, name: str) -> list[str]:
    """Return all values of a field that may come several times."""
    getall = getattr(form, "getall", None)
    values = getall(name, []) if getall else [form[name]] if name in form else []
    if not all(isinstance(value, str) for value in values):
        raise Invalid.field(name, N_("This must be text."), "type")
    return list(values)


def version(form: Form) -> int | None:
    """Return the version a form was drawn with; None where a form has none."""
    given = one(form, "version")
    if not given:
        return None
    if not given.isascii() or not given.isdecimal() or len(given) > 18:  # noqa: PLR2004 - digits of a bigint
        raise Invalid.field("version", N_("Reload the page."), "format")
    return int(given)
