"""Values out of a fixed list: languages, time zones, currencies, colour schemes."""

from functools import cache
from typing import Final
from zoneinfo import available_timezones

from babel.numbers import list_currencies

from zena.kit.errors import Invalid
from zena.kit.i18n import LOCALES, N_

THEMES: Final = ("system", "light", "dark")


def check_timezone(value: str, field: str = "timezone") -> str:
    if value not in timezones():
        raise Invalid.field(field, N_("No time zone has this name. Asia/Ho_Chi_Minh is one."), "choice")
    return value


def check_locale(value: str, field: str = "locale") -> str:
    if value not in LOCALES:
        raise Invalid.field(field, N_("One of %(choices)s.", choices=", ".join(LOCALES)), "choice")
    return value


def check_currency(value: str, field: str = "currency") -> str:
    if value not in currencies():
        raise Invalid.field(field, N_("No currency has this code. VND is one."), "choice")
    return value


def check_theme(value: str, field: str = "theme") -> str:
    if value not in THEMES:
        raise Invalid.field(field, N_("One of %(choices)s.", choices=", ".join(THEMES)), "choice")
    return value


@cache
def timezones() -> frozenset[str]:
    """Return the zones people live in, without the shorthands of the zone database."""
    return frozenset(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")) | {"UTC"}


@cache
def currencies() -> frozenset[str]:
    return frozenset(str(code) for code in list_currencies() if len(code) == 3)  # noqa: PLR2004 - ISO 4217
