"""The shell: one line per failure, the right exit code, JSON everywhere, quick to start."""

import json
import resource
import subprocess
from pathlib import Path

import pytest

from tests.cli.run import command, variables, zena
from zena.cli.shell import addressed
from zena.kit.exits import Exit
from zena.settings import Settings


def error_of(text: str) -> dict[str, object]:
    (line,) = text.splitlines()
    found: dict[str, object] = json.loads(line)["error"]
    return found


def test_help_is_quick_and_names_everything() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = zena("--help", module="zena")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ran.code == 0
    for name in ("config", "db", "demo", "import", "migrate", "queue", "serve", "tenant", "user", "web"):
        assert f"│ {name} " in ran.out
    assert "prepare" not in ran.out
    # Seconds of processor, not of waiting: other programs run on this machine too.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.7


def test_help_imports_no_slice() -> None:
    assert "A slice that cannot be imported" in zena("--help").out
    ran = zena("far", "anything")
    assert ran.code == Exit.INTERNAL
    assert len(ran.err.splitlines()) == 1


def test_version() -> None:
    assert zena("--version").out.startswith("zena 0.")
    assert "version" in json.loads(zena("--version", "--json").out)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("db", "nothing"),
        ("db", "url", "--role", "king"),
        ("db", "url", "--rolle", "app"),
        ("things", "fail"),
        ("queue", "work", "--workers", "many"),
        ("queue", "work", "--workers", "0"),
        ("db", "bootstrap"),
        ("db", "bootstrap", "--print-sql", "--database", "x y"),
    ],
)
def test_misuse_is_64_and_one_line(arguments: tuple[str, ...]) -> None:
    ran = zena(*arguments)
    assert ran.code == Exit.USAGE
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert error_of(zena(*arguments, "--json").err)["exit"] == Exit.USAGE


def test_nothing_at_all_shows_help() -> None:
    ran = zena()
    assert ran.code == Exit.USAGE
    assert "Commands" in ran.out
    assert ran.err == ""


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("not-found", Exit.DATA, "does not exist"),
        ("forbidden", Exit.PERMISSION, "tasks.update"),
        ("invalid", Exit.DATA, "due: no such day"),
        ("limited", Exit.RETRY, "9 s"),
        ("refused", Exit.RETRY, "no such thing"),
        ("lost", Exit.UNAVAILABLE, "database cannot be reached"),
        ("denied", Exit.PERMISSION, "/etc/shadow"),
        ("full", Exit.IO, "No space left"),
        ("bug", Exit.INTERNAL, "fault of ours: ValueError: boom"),
        ("interrupt", Exit.INTERRUPTED, "interrupted"),
    ],
)
def test_each_failure_has_its_code(how: str, code: Exit, says: str) -> None:
    ran = zena("things", "fail", how)
    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1
    assert error_of(zena("things", "--json", "fail", how).err)["exit"] == code


def test_a_stack_only_when_asked_for() -> None:
    assert "Traceback" not in zena("things", "fail", "bug").err
    assert "Traceback" in zena("things", "fail", "bug", "--traceback").err


def test_destructive_commands_count_first() -> None:
    ran = zena("things", "remove")
    assert ran.code == Exit.USAGE
    assert "3 tasks, 1 files" in ran.err
    assert "--yes" in ran.err
    ran = zena("things", "remove", "--yes")
    assert (ran.code, ran.out) == (0, "removed\n")
    assert "3 tasks" in ran.err


def test_tables_in_both_ways() -> None:
    assert zena("things", "listing").out.splitlines() == ["name       size", "a          1", "long name  -"]
    assert zena("things", "listing", "--none").out.splitlines() == ["name  size", "(none)"]
    assert json.loads(zena("--json", "things", "listing").out)[1] == {"name": "long name", "size": None}


def test_a_slice_adds_to_a_group_of_the_shell() -> None:
    assert zena("queue", "status").out == "nothing waits\n"
    assert "--workers" in zena("queue", "work", "--help").out
    assert "status" in zena("queue", "--help").out


def test_a_closed_pipe_is_no_crash() -> None:
    ran = zena("config", "page")
    assert ran.code == 0
    line = f"{' '.join(command('config', 'page'))} | head -1"
    done = subprocess.run(["bash", "-c", line], env=variables(), capture_output=True, text=True, check=True)
    assert done.stdout == "# Settings\n"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_config_tells_all_problems(tmp_path: Path) -> None:
    bad = {"ZENA_PORT": "x", "ZENA_DATA_DIR": str(tmp_path), "ZENA_ENVV": "test", "ZENA_LOG_LEVEL": "loud"}
    ran = zena("config", "check", **bad)
    assert ran.code == Exit.CONFIG
    assert [line.split(":")[1].strip() for line in ran.err.splitlines()] == ["ZENA_ENVV", "ZENA_LOG_LEVEL", "ZENA_PORT"]
    problems = error_of(zena("config", "check", "--json", **bad).err)["problems"]
    assert isinstance(problems, list)
    assert {"variable", "found", "wanted", "doc"} == set(problems[0])


def test_config_masks(tmp_path: Path) -> None:
    url = "postgresql://zena_app:canary-4711-canary@localhost/zena"
    for arguments in (("config", "show"), ("config", "show", "--json"), ("config", "check")):
        ran = zena(*arguments, ZENA_DATA_DIR=tmp_path, ZENA_DATABASE_URL=url)
        assert ran.code == 0
        assert "canary" not in ran.out + ran.err


def test_no_database_is_69(tmp_path: Path) -> None:
    for arguments in (("db", "url"), ("db", "ping"), ("web",), ("queue", "work")):
        ran = zena(*arguments, ZENA_DATA_DIR=tmp_path)
        assert ran.code == Exit.UNAVAILABLE, arguments
        assert "zena serve" in ran.err
    gone = "postgresql://zena_app:long-enough-secret@127.0.0.1:1/zena"
    for arguments in (("db", "ping"), ("web",), ("queue", "work"), ("things", "reach")):
        ran = zena(*arguments, ZENA_DATA_DIR=tmp_path, ZENA_DATABASE_URL=gone)
        assert ran.code == Exit.UNAVAILABLE, arguments
        assert "secret" not in ran.err
        assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("place", ["no-such-host.invalid/zena?sslmode=require", "/zena?host=/no/such/folder"])
def test_a_database_that_is_nowhere_is_69(tmp_path: Path, place: str) -> None:
    url = f"postgresql://zena_app:long-enough-secret@{place}"
    ran = zena("db", "ping", ZENA_DATA_DIR=tmp_path, ZENA_DATABASE_URL=url)
    assert (ran.code, "database cannot be reached" in ran.err) == (Exit.UNAVAILABLE, True)
    assert len(ran.err.splitlines()) == 1


def test_a_check_makes_nothing(tmp_path: Path) -> None:
    ran = zena("config", "check", ZENA_DATA_DIR=tmp_path / "new", ZENA_KEY_FILE=tmp_path / "keys" / "ring")
    assert (ran.code, list(tmp_path.iterdir())) == (0, [])


def test_nobody_listening_is_no_crash() -> None:
    line = f"{' '.join(command('config', 'page'))} >&-"
    done = subprocess.run(["bash", "-c", line], env=variables(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_for_a_database_administrator() -> None:
    ran = zena("db", "bootstrap", "--print-sql", "--database", "firm")
    assert ran.code == 0
    assert "\\set database 'firm'" in ran.out
    assert ":'app_password'" in ran.out


def test_links_lead_to_what_runs_unless_settings_name_another_address(tmp_path: Path) -> None:
    assert addressed(Settings(data_dir=tmp_path)).public_url == "http://localhost:8000"
    (tmp_path / "serve.json").write_text('{"url": "http://localhost:4711"}', encoding="utf-8")
    assert addressed(Settings(data_dir=tmp_path)).public_url == "http://localhost:4711"
    assert addressed(Settings(data_dir=tmp_path, public_url="https://zena.test")).public_url == "https://zena.test"
