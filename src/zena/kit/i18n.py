"""Languages: message catalogs, the choice of a locale, and messages that travel untranslated until they are shown."""

import gettext
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from babel import Locale, negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

#: The catalogs that ship. The first is the language the source is written in.
LOCALES = ("en", "vi")
DEFAULT_LOCALE = LOCALES[0]

_CATALOGS = Path(__file__).parent.parent / "web" / "locale"


class Text(str):
    """A sentence as the source has it, with its parameters kept apart so that it can be shown in another language.

    It is the English sentence to everybody who does not translate (logs, the API).
    """

    __slots__ = ("msgid", "params")
    msgid: str
    params: dict[str, Any]

    def __new__(cls, msgid: str, /, **params: Any) -> Self:
        text = super().__new__(cls, msgid % params if params else msgid)
        text.msgid, text.params = msgid, params
        return text


def N_(msgid: str, /, **params: Any) -> Text:  # noqa: N802 - the name gettext tools know
    """Mark a sentence for translation: `N_("The end %(end)s is before the start", end=end)`."""
    return Text(msgid, **params)


@cache
def translations(locale: str) -> gettext.NullTranslations:
    """Return the catalog of a locale; unknown ones and English answer with the source's own sentences."""
    path = _CATALOGS / locale / "LC_MESSAGES" / "messages.po"
    if locale == DEFAULT_LOCALE or locale not in LOCALES or not path.is_file():
        return gettext.NullTranslations()
    return _compiled(read_catalog(path, locale))


def read_catalog(path: Path, locale: str) -> Catalog:
    """Read a .po file. Catalogs are read at start rather than compiled ahead: one file, nothing to forget."""
    with path.open("rb") as source:
        return read_po(source, locale=locale, domain="messages")


def translate(message: str, locale: str) -> str:
    """Return a message in a locale: `Text` with its parameters, any other string looked up as it stands."""
    catalog = translations(locale)
    if isinstance(message, Text):
        sentence = catalog.gettext(message.msgid)
        shown = {
            name: translate(value, locale) if isinstance(value, Text) else value
            for name, value in message.params.items()
        }
        return sentence % shown if shown else sentence
    return catalog.gettext(message) if message else ""


def choose_locale(*preferences: str | None, accept_language: str | None = None, fallback: str | None = None) -> str:
    """Return the first shipped locale among the person's own, what the browser accepts, and the tenant's."""
    wanted = [*filter(None, preferences), *_accepted(accept_language), *filter(None, [fallback])]
    for candidate in wanted:
        found = negotiate_locale([candidate.replace("-", "_")], LOCALES)
        if found:
            return str(found)
    return DEFAULT_LOCALE


def language_name(locale: str) -> str:
    """Return a language's own name for itself, as shown in a list to choose from."""
    own = Locale.parse(locale).get_language_name(locale) or locale
    return own[:1].upper() + own[1:]


def _accepted(header: str | None) -> Iterable[str]:
    ranked: list[tuple[float, str]] = []
    for part in (header or "")[:1000].split(",")[:20]:
        tag, _, quality = part.strip().partition(";q=")
        if tag.replace("-", "").isalnum() and tag != "*":
            ranked.append((_quality(quality), tag))
    return [tag for weight, tag in sorted(ranked, key=lambda item: -item[0]) if weight > 0]


def _quality(value: str) -> float:
    try:
        return float(value) if value else 1.0
    except ValueError:
        return 0.0


def _compiled(catalog: Catalog) -> gettext.GNUTranslations:
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
