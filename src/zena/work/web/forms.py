"""Form fields into values. Empty means none; what cannot be read is refused beside its field."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from zena.kit.errors import Invalid
from zena.kit.i18n import N_

Form = Mapping[str, Any]


def flag(form: Form, name: str) -> bool:
    """Return whether a box was ticked; anything but `on` is refused."""
    value = one(form, name)
    if value not in {None, "on"}:
        raise Invalid.field(name, N_("Tick this or leave it."), "type")
    return value is not None


def one(form: Form, name: str) -> str | None:
    """Return a field's only value, None when it was not sent; a field sent twice is refused."""
    values = form.getall(name, []) if hasattr(form, "getall") else [form[name]] if name in form else []
    if len(values) > 1:
        raise Invalid.field(name, N_("Give this once."), "repeated")
    value = values[0] if values else None
    if value is not None and not isinstance(value, str):
        raise Invalid.field(name, N_("This must be text."), "type")
    return value


def many(form: Form, name: str) -> list[str]:
    """Return what was chosen of a list; a file in its place is refused, or it would read as "none of them"."""
    values = form.getall(name, []) if hasattr(form, "getall") else [form[name]] if name in form else []
    if not all(isinstance(value, str) for value in values):
        raise Invalid.field(name, N_("This must be text."), "type")
    return [value for value in values if value]


def words(form: Form, name: str) -> str:
    return one(form, name) or ""


def day(form: Form, name: str) -> date | None:
    value = words(form, name).strip()
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise Invalid.field(name, N_("A date such as 2026-03-31."), "format") from None


def whole(form: Form, name: str) -> int | None:
    value = words(form, name).strip()
    if not value:
        return None
    if not value.isascii() or not value.removeprefix("-").isdecimal() or len(value) > 16:  # noqa: PLR2004 - digits of an amount
        raise Invalid.field(name, N_("A whole number."), "format")
    return int(value)


def hours(form: Form, name: str) -> int | None:
    """Read hours with up to two decimals, with point or comma, as minutes."""
    value = words(form, name).strip().replace(",", ".")
    if not value:
        return None
    try:
        return round(float(value) * 60)
    except (ValueError, OverflowError):
        raise Invalid.field(name, N_("A number of hours."), "format") from None


def an_id(form: Form, name: str) -> UUID | None:
    value = words(form, name).strip()
    return _uuid(value, name) if value else None


def ids(form: Form, name: str) -> list[UUID]:
    return [_uuid(value, name) for value in many(form, name)]


def version(form: Form) -> int | None:
    return whole(form, "version")


def _uuid(value: str, name: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise Invalid.field(name, N_("Choose from the list."), "choice") from None
