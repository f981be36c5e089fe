"""The check of translations finds what is missing, empty, fuzzy, or has lost a parameter."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from scripts.translations import Seen, compare, sentences

PLAIN: Seen = (("Sign out",), None, "a.html:1")
NAMED: Seen = (("%(count)s tasks",), None, "a.html:2")
PLURAL: Seen = (("%(count)s task", "%(count)s tasks"), None, "a.html:3")


def catalog(*entries: tuple[str | tuple[str, str], str | tuple[str, ...], bool]) -> Catalog:
    made = Catalog("vi")
    for source, target, fuzzy in entries:
        made.add(source, target, flags=["fuzzy"] if fuzzy else [])
    return made


@pytest.mark.parametrize(
    ("message", "translated"),
    [
        (PLAIN, catalog(("Sign out", "Đăng xuất", False))),
        (NAMED, catalog(("%(count)s tasks", "%(count)s công việc", False))),
        (PLURAL, catalog((("%(count)s task", "%(count)s tasks"), ("%(count)s công việc",), False))),
    ],
)
def test_complete(message: Seen, translated: Catalog) -> None:
    assert list(compare([message, message], translated, "vi")) == []


@pytest.mark.parametrize(
    ("message", "translated", "says"),
    [
        (PLAIN, catalog(), "missing"),
        (PLAIN, catalog(("Sign out", "", False)), "not translated"),
        (PLAIN, catalog(("Sign out", "Đăng xuất", True)), "fuzzy"),
        (NAMED, catalog(("%(count)s tasks", "công việc", False)), "lost"),
        (NAMED, catalog(("%(count)s tasks", "%(number)s công việc", False)), "does not give"),
        (PLURAL, catalog((("%(count)s task", "%(count)s tasks"), ("",), False)), "not translated"),
    ],
)
def test_incomplete(message: Seen, translated: Catalog, says: str) -> None:
    [line] = compare([message, message], translated, "vi")
    assert says in line


def test_sentences_are_found_in_code_and_templates(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('N_("From code")\n', encoding="utf-8")
    (tmp_path / "b.html").write_text('{{ _("From a template") }}{{ ngettext("one", "many", 2) }}', encoding="utf-8")
    assert [found[0] for found in sentences(tmp_path)] == [("From code",), ("From a template",), ("one", "many")]
