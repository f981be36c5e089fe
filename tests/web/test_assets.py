import gzip
import json
from pathlib import Path

import pytest

from zena.kit.assets import Assets
from zena.web import STATIC


def folder(tmp_path: Path) -> Path:
    (tmp_path / "css").mkdir()
    (tmp_path / "css/app.css").write_text('@layer a;\n@import "part.css" layer(a);\n')
    (tmp_path / "css/part.css").write_text("p { color: red; }\n" * 60)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor/htmx.ab12.js").write_text("htmx")
    (tmp_path / "vendor/manifest.json").write_text(json.dumps({"htmx.js": "htmx.ab12.js"}))
    (tmp_path / "secret.txt").write_text("no")
    return tmp_path


def test_imports_are_joined_inside_their_layer(tmp_path: Path) -> None:
    sheet = Assets(folder(tmp_path)).get("css/app.css")
    assert sheet
    assert sheet.body.startswith(b"@layer a;\n@layer a {\np {")
    assert sheet.packed
    assert gzip.decompress(sheet.packed) == sheet.body


def test_only_what_the_manifest_holds_is_known(tmp_path: Path) -> None:
    assets = Assets(folder(tmp_path))
    assert assets.get("secret.txt") is None
    assert assets.get("../secret.txt") is None
    with pytest.raises(KeyError):
        assets.url("css/none.css")


def test_vendor_files_are_asked_for_by_their_plain_name(tmp_path: Path) -> None:
    assets = Assets(folder(tmp_path))
    assert assets.url("vendor/htmx.js") == f"/static/{assets.version}/vendor/htmx.ab12.js"
    assert assets.has("vendor/htmx.js")
    assert not assets.has("vendor/idiomorph.js")


def test_a_changed_file_changes_every_address(tmp_path: Path) -> None:
    root = folder(tmp_path)
    before = Assets(root).version
    (root / "css/part.css").write_text("p { color: blue; }")
    assert Assets(root).version != before


def test_the_shell_style_sheet_is_whole() -> None:
    sheet = Assets(STATIC).get("css/app.css")
    assert sheet
    assert b"@import" not in sheet.body
    assert sheet.body.count(b"{") == sheet.body.count(b"}")
