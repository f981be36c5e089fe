"""Front-end packages are copied under names that hold their hash."""

import json
from pathlib import Path

import pytest

from scripts.vendor import FILES, vendor


def packages(folder: Path, text: str) -> Path:
    for path in FILES.values():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{path} {text}", encoding="utf-8")
    return folder


def test_the_manifest_names_what_is_there(tmp_path: Path) -> None:
    manifest = vendor(packages(tmp_path / "packages", "1"), tmp_path / "vendor")
    assert json.loads((tmp_path / "vendor/manifest.json").read_text(encoding="utf-8")) == manifest
    assert sorted(path.name for path in (tmp_path / "vendor").iterdir()) == sorted(
        [*manifest.values(), "manifest.json"]
    )
    assert manifest["htmx.js"].startswith("htmx.")


def test_another_content_has_another_name_and_the_old_one_goes(tmp_path: Path) -> None:
    old = vendor(packages(tmp_path / "packages", "1"), tmp_path / "vendor")
    new = vendor(packages(tmp_path / "packages", "2"), tmp_path / "vendor")
    assert not set(old.values()) & set(new.values())
    assert not (tmp_path / "vendor" / old["htmx.js"]).exists()


def test_a_missing_package_leaves_what_was_there(tmp_path: Path) -> None:
    vendor(packages(tmp_path / "packages", "1"), tmp_path / "vendor")
    with pytest.raises(FileNotFoundError):
        vendor(tmp_path / "nothing", tmp_path / "vendor")
    assert (tmp_path / "vendor/manifest.json").is_file()
