"""Lists to choose from, as (value, label)."""

from functools import cache

from zena.accounts.actions.choices import currencies, timezones
from zena.accounts.permissions import Role
from zena.kit.i18n import LOCALES, N_, Text, language_name

#: The first market's currency and the ones it trades in; the API takes every code of ISO 4217.
_USUAL = ("VND", "USD", "EUR", "JPY", "SGD", "THB", "CNY", "KRW", "AUD", "GBP")

ROLE_NAMES: dict[str, Text] = {
    Role.OWNER: N_("Owner"),
    Role.ADMIN: N_("Administrator"),
    Role.PM: N_("Project manager"),
    Role.MEMBER: N_("Member"),
    Role.VIEWER: N_("Viewer"),
    Role.CLIENT: N_("Client"),
}

THEME_NAMES: list[tuple[str, Text]] = [
    ("system", N_("As the system")),
    ("light", N_("Light")),
    ("dark", N_("Dark")),
]


@cache
def language_choices() -> list[tuple[str, str]]:
    return [(locale, language_name(locale)) for locale in LOCALES]


@cache
def timezone_choices() -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in sorted(timezones())]


@cache
def currency_choices() -> list[tuple[str, str]]:
    return [(code, code) for code in (*_USUAL, *sorted(currencies() - set(_USUAL)))]
