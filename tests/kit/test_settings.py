"""Settings: every problem at once, no secret in sight, no secret that is none."""

import json
from pathlib import Path

import pytest

from zena.settings import Problem, Role, Settings, SettingsError, load_keys, load_settings
from zena.settings.load import VARIABLES, described
from zena.settings.page import page

LONG = "b7Qw-9xZ_pL2mN4k"


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    return {"ZENA_DATA_DIR": str(tmp_path / "data")}


def problems(environ: dict[str, str]) -> dict[str, Problem]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return {problem.variable: problem for problem in caught.value.problems}


def test_nothing_set_is_enough(given: dict[str, str]) -> None:
    settings = load_settings(given)
    assert settings.env == "production"
    assert settings.embedded
    assert settings.public_url == "http://localhost:8000"
    assert settings.secure_cookies
    assert settings.keys_path == settings.data_dir / "secret.key"


def test_all_problems_come_in_one_list(given: dict[str, str]) -> None:
    found = problems(
        given
        | {
            "ZENA_PORT": "eighty",
            "ZENA_ENV": "prod",
            "ZENA_POOL_SIZE": "0",
            "ZENA_PUBLIC_URL": "https://u:p@example.com/app",
            "ZENA_TRUSTED_PROXIES": "10.0.0.1, everyone",
            "ZENA_DATABASE_URL": "mysql://x:y@z/w",
            "ZENA_PROT": "1",
            "ZENA_SMTP_URL": "",
        }
    )
    assert set(found) == {
        "ZENA_PORT",
        "ZENA_ENV",
        "ZENA_POOL_SIZE",
        "ZENA_PUBLIC_URL",
        "ZENA_TRUSTED_PROXIES",
        "ZENA_DATABASE_URL",
        "ZENA_PROT",
        "ZENA_SMTP_URL",
    }
    assert all(problem.found and problem.wanted for problem in found.values())
    assert "ZENA_PORT" in found["ZENA_PROT"].wanted
    assert "everyone" in found["ZENA_TRUSTED_PROXIES"].wanted


def test_one_malformed_value_hides_no_other_problem(given: dict[str, str], tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    ring.write_text("one AAAA\n")
    ring.chmod(0o600)
    weak = "postgresql://app:password@localhost/zena"
    wrong = {"ZENA_PORT": "eighty", "DEBUG": "1", "ZENA_DATABASE_URL": weak, "ZENA_KEY_FILE": str(ring)}
    assert set(problems(given | wrong)) == set(wrong)
    assert set(problems({"ZENA_DATA_DIR": str(ring), "ZENA_PORT": "eighty"})) == {"ZENA_DATA_DIR", "ZENA_PORT"}


def test_what_depends_on_a_malformed_value_is_left_unsaid(given: dict[str, str]) -> None:
    malformed = {"ZENA_DATABASE_URL": "mysql://a/b", "ZENA_MAIL_FROM": "nobody", "ZENA_SESSION_ABSOLUTE_DAYS": "many"}
    fine = {
        "ZENA_DATABASE_OPS_URL": f"postgresql://ops:{LONG}@localhost/zena",
        "ZENA_SMTP_URL": f"smtp://u:{LONG}@mail:587",
        "ZENA_SESSION_IDLE_HOURS": "2000",
    }
    assert set(problems(given | malformed | fine)) == set(malformed)


def test_a_ring_that_could_not_be_made_is_told_before_it_is_tried(given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert set(problems(given | {"ZENA_KEY_FILE": str(tmp_path / "file" / "ring")})) == {"ZENA_KEY_FILE"}
    load_settings(given | {"ZENA_KEY_FILE": str(tmp_path / "keys" / "ring")})
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ZENA_DATABASE_URL", "postgresql://app:{}@db.example/zena"),
        ("ZENA_DATABASE_OPS_URL", "postgresql+psycopg://app:{}@/zena"),
        ("ZENA_SMTP_URL", "https://app:{}@mail"),
        ("ZENA_REDIS_URL", "http://:{}@cache"),
    ],
)
def test_J04_no_secret_in_problems_or_reprs(given: dict[str, str], variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(given | {variable: value.format("canary-4711-canary")})
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(caught.value.problems)


def test_J04_settings_show_no_secret(given: dict[str, str]) -> None:
    settings = load_settings(given | {"ZENA_DATABASE_URL": f"postgres://app:{LONG}@/zena?host=/run/pg"})
    assert LONG not in repr(settings)
    assert LONG not in settings.model_dump_json()
    assert LONG not in json.dumps(described(settings))
    assert settings.dsn() == f"postgresql://app:{LONG}@/zena?host=/run/pg"


@pytest.mark.parametrize("password", ["password", "changeme", "Postgres", "zena_app", "kx7!", "12345678"])
def test_C13_known_and_short_secrets_are_refused(given: dict[str, str], password: str) -> None:
    found = problems(given | {"ZENA_DATABASE_URL": f"postgresql://app:{password}@localhost/zena"})
    assert set(found) == {"ZENA_DATABASE_URL"}
    assert password not in found["ZENA_DATABASE_URL"].found
    load_settings(given | {"ZENA_DATABASE_URL": "postgresql://app:test@localhost/zena", "ZENA_ENV": "test"})


def test_production_refuses_debugging(given: dict[str, str]) -> None:
    assert set(problems(given | {"DEBUG": "1", "ZENA_DEBUG": "yes"})) == {"DEBUG", "ZENA_DEBUG"}
    assert load_settings(given | {"DEBUG": "1", "ZENA_DEBUG": "1", "ZENA_ENV": "development"}).debug


def test_a_remote_database_wants_encryption(given: dict[str, str]) -> None:
    url = f"postgresql://app:{LONG}@db.example:5432/zena"
    assert "sslmode" in problems(given | {"ZENA_DATABASE_URL": url})["ZENA_DATABASE_URL"].wanted
    load_settings(given | {"ZENA_DATABASE_URL": f"{url}?sslmode=verify-full"})
    load_settings(given | {"ZENA_DATABASE_URL": url, "ZENA_DATABASE_PLAINTEXT": "true"})


def test_names_of_others_are_understood(given: dict[str, str]) -> None:
    foreign = f"postgres://app:{LONG}@localhost/other"
    assert load_settings(given | {"DATABASE_URL": foreign}).dsn().startswith("postgresql://app")
    ours = f"postgresql+asyncpg://app:{LONG}@localhost/zena"
    assert load_settings(given | {"DATABASE_URL": foreign, "ZENA_DATABASE_URL": ours}).dsn().endswith("/zena")


def test_values_may_lie_in_files(given: dict[str, str], tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text(f"postgresql://app:{LONG}@localhost/zena\n")
    assert load_settings(given | {"ZENA_DATABASE_URL_FILE": str(secret)}).dsn().endswith("@localhost/zena")
    assert set(problems(given | {"ZENA_DATABASE_URL_FILE": "/no/such"})) == {"ZENA_DATABASE_URL_FILE"}
    both = {"ZENA_DATABASE_URL_FILE": str(secret), "ZENA_DATABASE_URL": "postgresql:///x"}
    assert set(problems(given | both)) == {"ZENA_DATABASE_URL_FILE"}


def test_rules_over_several_settings(given: dict[str, str]) -> None:
    found = problems(
        given
        | {
            "ZENA_DATABASE_OWNER_URL": f"postgresql://owner:{LONG}@localhost/zena",
            "ZENA_SMTP_URL": f"smtp://u:{LONG}@mail:587",
            "ZENA_SESSION_IDLE_HOURS": "100",
            "ZENA_SESSION_ABSOLUTE_DAYS": "2",
        }
    )
    assert set(found) == {"ZENA_DATABASE_OWNER_URL", "ZENA_MAIL_FROM", "ZENA_SESSION_IDLE_HOURS"}


@pytest.mark.parametrize("networks", ["0.0.0.0/0", "::/0"])
def test_C09_nobody_trusts_everybody(given: dict[str, str], networks: str) -> None:
    assert set(problems(given | {"ZENA_TRUSTED_PROXIES": networks})) == {"ZENA_TRUSTED_PROXIES"}


def test_a_data_directory_that_is_a_file(given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        assert set(problems({"ZENA_DATA_DIR": str(path)})) == {"ZENA_DATA_DIR"}


def test_the_constructor_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENA_PORT", "1")
    monkeypatch.setenv("PORT", "2")
    assert Settings().port == 8000


def test_roles_name_what_is_missing(given: dict[str, str]) -> None:
    with pytest.raises(LookupError, match="ZENA_DATABASE_OWNER_URL"):
        load_settings(given).dsn(Role.OWNER)


def test_plain_http_elsewhere_is_no_secure_context() -> None:
    assert not Settings(public_url="http://zena.lan").secure_cookies
    assert Settings(public_url="https://zena.example.com/").public_url == "https://zena.example.com"


def test_C13_first_start_makes_a_key_of_its_own(given: dict[str, str]) -> None:
    settings = load_settings(given)
    ring = load_keys(settings)
    assert len(ring.current.secret) == 32
    assert settings.keys_path.stat().st_mode & 0o777 == 0o600
    assert load_keys(settings).current == ring.current
    assert ring.current.derive("a") != ring.current.derive("b")
    assert "secret=" not in repr(ring)


def test_J05_the_first_key_signs_and_the_others_still_open(given: dict[str, str]) -> None:
    settings = load_settings(given)
    old = load_keys(settings).current
    fresh = "new " + "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    settings.keys_path.write_text(fresh + settings.keys_path.read_text())
    ring = load_keys(settings)
    assert ring.current.id == "new"
    assert ring[old.id] == old


@pytest.mark.parametrize(
    "line",
    ["", "one", "one AAAA", "one " + "A" * 43 + "=", "one not-base64!", "one " + "YWJj" * 10 + "YWI="],
)
def test_C13_a_key_that_is_none_is_refused(given: dict[str, str], line: str) -> None:
    settings = load_settings(given)
    load_keys(settings)
    settings.keys_path.write_text(line + "\n")
    with pytest.raises(SettingsError):
        load_keys(settings)


def test_C13_a_key_others_can_read_is_refused(given: dict[str, str]) -> None:
    settings = load_settings(given)
    load_keys(settings)
    settings.keys_path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_keys(settings)


def test_the_page_of_settings_is_up_to_date() -> None:
    written = (Path(__file__).parents[2] / "docs/operate/settings.md").read_text(encoding="utf-8")
    assert all(Settings.model_fields[name].description for name in VARIABLES.values())
    assert written == page(), "run `zena config page > docs/operate/settings.md`"
