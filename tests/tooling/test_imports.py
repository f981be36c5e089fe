"""The import contracts of pyproject.toml, held against a small house built for the purpose."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.tree import ROOT

ROOMS = (
    *("main", "settings", "kit.db", "web.files", "api.pages"),
    *(
        f"{slice_}.{part}"
        for slice_ in ("accounts", "work", "insight", "notify")
        for part in ("facade", "models", "web")
    ),
    *("work.queries", "work.policy", "work.actions", "work.jobs"),
)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for room in ROOMS:
        path = tmp_path / "src/zena" / (room.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    (tmp_path / "src/zena/__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def holds(house: Path, *imports: str) -> bool:
    """Tell whether the contracts hold once each `a.b -> c.d` is added to the house."""
    for line in imports:
        importer, imported = line.split(" -> ")
        with (house / "src/zena" / (importer.replace(".", "/") + ".py")).open("a", encoding="utf-8") as file:
            file.write(f"import zena.{imported}\n")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house / "src")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return done.returncode == 0


def test_the_allowed_directions(house: Path) -> None:
    assert holds(
        house,
        "main -> work.web",
        "notify.facade -> insight.facade",
        "insight.facade -> work.facade",
        "work.facade -> accounts.facade",
        "accounts.web -> kit.db",
        "kit.db -> settings",
        "work.web -> work.actions",
        "work.jobs -> work.actions",
        "work.actions -> work.policy",
        "work.policy -> work.queries",
        "work.queries -> work.models",
    )


@pytest.mark.parametrize(
    "line",
    [
        "kit.db -> accounts.facade",
        "settings -> kit.db",
        "accounts.facade -> work.facade",
        "work.facade -> insight.facade",
        "insight.facade -> notify.facade",
        "web.files -> work.facade",
        "api.pages -> accounts.facade",
        "work.web -> main",
        "work.models -> work.queries",
        "work.queries -> work.policy",
        "work.policy -> work.actions",
        "work.actions -> work.jobs",
        "work.actions -> work.web",
    ],
)
def test_a_step_against_the_direction(house: Path, line: str) -> None:
    assert not holds(house, line)


def test_a_circle(house: Path) -> None:
    assert not holds(house, "web.files -> api.pages", "api.pages -> web.files")


def test_a_room_that_is_not_on_the_map(house: Path) -> None:
    (house / "src/zena/shed.py").touch()
    assert not holds(house)
