"""Bring the catalogs up to the source: new sentences are added empty, gone ones dropped, translations kept.

`python -m scripts.messages` rewrites the catalogs and prints what waits for a translation. There is nothing to compile:
the server reads the .po files when it starts.
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import write_po

from scripts.translations import CATALOGS, SOURCE, Seen, catalog, sentences
from zena.kit.i18n import DEFAULT_LOCALE, LOCALES

#: A date that stays, so that a run without news changes nothing.
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = (
    "# Sentences of Zena in {name}. Made by `python -m scripts.messages`; only the translations are written by hand."
)


def current(messages: Iterable[Seen], known: Catalog, locale: str) -> Catalog:
    """Return the source's sentences with what is known of their translation, in the order of their text."""
    fresh = Catalog(
        locale,
        project="Zena",
        version="1",
        fuzzy=False,
        header_comment=HEADER.format(name=locale),
        creation_date=BEGUN,
        revision_date=BEGUN,
        msgid_bugs_address="see CONTRIBUTING.md",
        last_translator="Zena",
        language_team=locale,
    )
    for sentence, context, place in sorted(messages, key=lambda seen: (seen[0], seen[1] or "")):
        if not sentence[0]:
            continue
        old = known.get(sentence[0], context)
        singular_or_both = sentence[0] if len(sentence) == 1 else (sentence[0], sentence[1])
        same_shape = old is not None and isinstance(old.string, str) == isinstance(singular_or_both, str)
        string = old.string if old is not None and same_shape and not old.fuzzy else None
        fresh.add(singular_or_both, string, [(place.rpartition(":")[0], 0)], context=context)
    return fresh


def waiting(found: Catalog) -> list[str]:
    """Return the sentences that have no translation yet."""
    return [str(message.id) for message in found if message.id and not _translated(message)]


def _translated(message: Message) -> bool:
    strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
    return bool(strings) and all(strings)


def save(found: Catalog, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        write_po(target, found, width=0, omit_header=False, include_lineno=False, sort_output=False)


def main() -> int:
    messages = list(sentences(SOURCE))
    empty = 0
    for locale in LOCALES:
        path = CATALOGS / locale / "LC_MESSAGES/messages.po"
        fresh = current(messages, catalog(path, locale), locale)
        save(fresh, path)
        missing = [] if locale == DEFAULT_LOCALE else waiting(fresh)
        empty += len(missing)
        print(f"{locale}: {len(fresh)} sentences, {len(missing)} to translate")
        print("".join(f"  {text}\n" for text in missing), end="")
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
