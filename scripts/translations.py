"""Every sentence of the source in every catalog, translated, with the same parameters. English is the source itself."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from scripts.findings import report
from scripts.tree import ROOT

SOURCE = ROOT / "src/zena"
CATALOGS = SOURCE / "web/locale"
MAPPING = ROOT / "babel.cfg"
SOURCE_LOCALE = "en"
_PARAMETER = re.compile(r"%\((\w+)\)[sd]|%[sd]|{(\w*)}")

#: A message: its sentences (singular first), its context, and where it was seen.
Seen = tuple[tuple[str, ...], str | None, str]


def findings() -> Iterator[str]:
    """Yield one line for each sentence without its translation."""
    messages = list(sentences(SOURCE))
    locales = sorted(path.name for path in CATALOGS.iterdir() if path.is_dir()) if CATALOGS.is_dir() else []
    for locale in locales:
        path = CATALOGS / locale / "LC_MESSAGES/messages.po"
        if locale != SOURCE_LOCALE:
            yield from compare(messages, catalog(path, locale), path.relative_to(ROOT).as_posix())


def sentences(folder: Path) -> Iterator[Seen]:
    """Yield what the source marks for translation."""
    with MAPPING.open(encoding="utf-8") as mapping:
        methods, options = parse_mapping_cfg(mapping)  # type: ignore[no-untyped-call]  # Babel leaves it untyped
    found = extract_from_dir(
        str(folder), methods, options, DEFAULT_KEYWORDS, ("Translators:",), strip_comment_tags=True
    )
    for file, line, message, _comments, context in found:
        yield (message if isinstance(message, tuple) else (message,)), context, f"{file}:{line}"


def catalog(path: Path, locale: str) -> Catalog:
    """Read a catalog; one that is not there is empty."""
    if not path.is_file():
        return Catalog(locale)
    with path.open("rb") as source:
        return read_po(source, locale=locale, domain="messages")


def compare(messages: Iterable[Seen], translated: Catalog, name: str) -> Iterator[str]:
    """Yield a line for each message of the source that the catalog lacks or garbles, once."""
    told = set()
    for sentence, context, place in messages:
        if sentence[0] and sentence not in told:
            told.add(sentence)
            wrong = _wrong(sentence, translated.get(sentence[0], context))
            if wrong:
                yield f"{name}: {wrong}: {sentence[0]!r} ({place})"


def _wrong(sentence: tuple[str, ...], found: Message | None) -> str | None:
    if found is None:
        return "missing"
    if found.fuzzy:
        return "fuzzy"
    strings = [found.string] if isinstance(found.string, str) else list(found.string or ())
    if not strings or not all(strings):
        return "not translated"
    allowed = _parameters(sentence)
    if any(_parameters([string]) - allowed for string in strings):
        return "a parameter the source does not give"
    if len(sentence) == 1 and _parameters(strings) != allowed:
        return "a parameter is lost"
    return None


def _parameters(strings: Iterable[str]) -> set[str]:
    return {found[0] for string in strings for found in _PARAMETER.finditer(string)}


if __name__ == "__main__":
    report(findings())
