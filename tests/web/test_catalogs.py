"""The catalogs are whole, and bringing them up to date loses nothing."""

from pathlib import Path

from babel.messages.catalog import Catalog

from scripts.messages import current, save, waiting
from scripts.translations import CATALOGS, catalog, findings
from zena.kit.i18n import LOCALES, translations

SEEN = [
    (("New",), None, "a.py:1"),
    (("Kept %(name)s",), None, "b.html:7"),
    (("%(num)s task", "%(num)s tasks"), None, "b.html:9"),
]


def test_every_sentence_has_its_vietnamese() -> None:
    assert list(findings()) == []


def test_every_locale_that_is_offered_has_a_catalog() -> None:
    assert {path.name for path in CATALOGS.iterdir() if path.is_dir()} == set(LOCALES)
    assert translations("vi").gettext("Save") == "Lưu"
    assert translations("vi").ngettext("%(num)s overdue", "%(num)s overdue", 3) == "%(num)s quá hạn"


def test_an_update_keeps_what_is_translated_and_drops_what_is_gone(tmp_path: Path) -> None:
    known = Catalog("vi")
    known.add("Kept %(name)s", "Giữ %(name)s")
    known.add("Gone", "Mất")
    fresh = current(SEEN, known, "vi")
    assert fresh["Kept %(name)s"].string == "Giữ %(name)s"
    assert "Gone" not in fresh
    assert sorted(waiting(fresh)) == ["('%(num)s task', '%(num)s tasks')", "New"]
    save(fresh, tmp_path / "messages.po")
    again = current(SEEN, catalog(tmp_path / "messages.po", "vi"), "vi")
    save(again, tmp_path / "again.po")
    assert (tmp_path / "again.po").read_bytes() == (tmp_path / "messages.po").read_bytes()
