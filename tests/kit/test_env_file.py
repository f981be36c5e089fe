"""The file of settings: found, read, outdone by the environment, and every mistake in it told."""

from pathlib import Path

import pytest

from tests.kit.test_settings import LONG, problems
from zena.settings import data_dir, load_settings, read_file


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def write(home: Path, text: str, mode: int = 0o600, name: str = "zena.env") -> dict[str, str]:
    (home / name).write_text(text, encoding="utf-8")
    (home / name).chmod(mode)
    return {"ZENA_DATA_DIR": str(home)}


def test_what_it_says_counts_and_the_environment_wins(home: Path) -> None:
    text = "\ufeff# a comment\r\n\n ; another\nZENA_PORT = 8001\nZENA_MAIL_FROM='a@b.test'\nZENA_RATE_USER=\"7\"\n"
    given = write(home, text)
    found = load_settings(given)
    assert (found.port, found.mail_from, found.rate_user) == (8001, "a@b.test", 7)
    assert found.config_file == home / "zena.env"
    assert load_settings(given | {"ZENA_PORT": "9"}).port == 9
    (home / "port").write_text("10")
    assert load_settings(given | {"ZENA_PORT_FILE": str(home / "port")}).port == 10


def test_another_place_and_none(home: Path) -> None:
    write(home, "ZENA_PORT=8001")
    write(home, "ZENA_PORT=8002", name="other")
    given = {"ZENA_DATA_DIR": str(home)}
    assert load_settings(given | {"ZENA_CONFIG_FILE": str(home / "other")}).port == 8002
    assert load_settings(given | {"ZENA_CONFIG_FILE": ""}).port == 8000
    assert set(problems(given | {"ZENA_CONFIG_FILE": str(home / "gone")})) == {"ZENA_CONFIG_FILE"}
    assert set(problems(given | {"ZENA_CONFIG_FILE": str(home)})) == {"ZENA_CONFIG_FILE"}


def test_it_may_say_where_the_data_lie_unless_it_was_found_there(home: Path) -> None:
    write(home, f"ZENA_DATA_DIR={home / 'data'}", name="elsewhere")
    environ = {"ZENA_CONFIG_FILE": str(home / "elsewhere")}
    assert load_settings(environ).data_dir == data_dir(environ) == home / "data"
    assert set(problems(write(home, f"ZENA_DATA_DIR={home / 'data'}"))) == {"ZENA_DATA_DIR"}


def test_every_mistake_is_told_with_its_line_and_no_secret(home: Path) -> None:
    lines = ["ZENA_PROT=1", f"canary {LONG}", "LANG=C", "ZENA_RATE_USER=5", "ZENA_RATE_USER=6", "ZENA_CONFIG_FILE=x"]
    found = problems(write(home, "\n".join(lines)))
    where = str(home / "zena.env")
    assert set(found) == {"ZENA_PROT", f"{where}, line 2", "LANG", "ZENA_RATE_USER", "ZENA_CONFIG_FILE"}
    assert str(found["ZENA_PROT"]).startswith(f"ZENA_PROT: found {where}, line 1; wanted ZENA_PORT, perhaps")
    assert LONG not in "".join(map(str, found.values()))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"ZENA_PORT=80\x0001"])
def test_bytes_that_are_no_settings(home: Path, content: bytes) -> None:
    given = write(home, "")
    (home / "zena.env").write_bytes(content)
    assert len(problems(given)) == 1


@pytest.mark.parametrize("name", ["ZENA_DATABASE_URL", "DATABASE_URL", "ZENA_SMTP_URL"])
def test_J04_others_may_not_read_passwords_in_it(home: Path, name: str) -> None:
    line = f"{name}={'smtp' if 'SMTP' in name else 'postgresql'}://u:{LONG}@localhost/zena\nZENA_MAIL_FROM=a@b.test\n"
    assert set(problems(write(home, line, 0o644))) == {name}
    assert load_settings(write(home, line, 0o640)).env == "production"


@pytest.mark.parametrize("name", ["DATABASE_URL", "ZENA_DATABASE_URL", "ZENA_DATABASE_URL_FILE"])
def test_one_setting_by_two_names_is_the_environments(home: Path, name: str) -> None:
    given = write(home, f"ZENA_DATABASE_URL=postgresql://file:{LONG}@localhost/zena")
    assert read_file(given | {name: "x"}).values == {}
