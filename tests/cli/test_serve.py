"""`zena serve` and its parts as an operator meets them: real processes, a real database, kills."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.cli.run import command, variables, zena
from tests.kit.pg import FAST, alive, ask, open_folder
from zena.kit.embedded import EmbeddedPostgres
from zena.kit.embedded.running import read_state
from zena.kit.exits import Exit
from zena.kit.posture import head_on_disk
from zena.migrations.run import head
from zena.settings import Role


@contextmanager
def serving(folder: Path, *arguments: str, **values: object) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`zena serve` in a data directory; yields the process and its address once it is up."""
    process = subprocess.Popen(
        command("serve", *arguments),
        env=variables(**{"ZENA_DATA_DIR": folder, "ZENA_PORT": 0, **values}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("Zena is at http://localhost:"), process.stderr.read()
        yield process, line.split()[-1]
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(40)
        process.stdout.close()
        process.stderr.close()


def allowed(goal: float) -> float:
    """Return the goal's seconds, stretched by how much slower than an idle machine this one is just now."""
    started = time.monotonic()
    code = "import litestar, sqlalchemy.ext.asyncio, alembic.command"
    subprocess.run([sys.executable, "-c", code], check=True)
    idle = 0.9
    return goal * max(1.0, (time.monotonic() - started) / idle)


def page(url: str) -> tuple[int, str]:
    """Return which process answered, and the database URLs it holds."""
    pid, _, held = httpx.get(url, timeout=10).text.partition(" ")
    return int(pid), held


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server beside, as an external database."""
    with open_folder() as folder:
        made = EmbeddedPostgres(folder, options=FAST)
        made.start()
        yield made
        made.stop()


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """A data directory that the tests below share: the first to serve it makes its database."""
    with open_folder() as folder:
        yield folder


def test_one_command_from_nothing_to_a_page_and_back() -> None:
    with open_folder() as folder:
        first_ever, later = allowed(15), allowed(5)
        started = time.monotonic()
        with serving(folder, "--demo") as (process, url):
            pid, held = page(url)
            assert time.monotonic() - started < first_ever
            assert process.stdout is not None
            assert process.stdout.readline() == f"Sign in at {url}/in/True\n"
            # The web process holds what it needs of the database, and no more.
            assert held == "['database_ops_read_url', 'database_url']"
            assert pid != process.pid
            check_commands_beside(folder)
            state = read_state(folder)
            assert state is not None
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert not alive(pid)
            assert not alive(state.pid)
        started = time.monotonic()
        with serving(folder) as (_, url):
            page(url)
            assert time.monotonic() - started < later


def check_commands_beside(folder: Path) -> None:
    """The other commands reach the database that `zena serve` runs."""
    here = {"ZENA_DATA_DIR": str(folder)}
    for role in (Role.APP, Role.OPS):
        ran = zena("db", "url", "--role", role, **here)
        assert ask(ran.out.strip(), "SELECT current_user::text") == f"zena_{role}"
    assert json.loads(zena("db", "ping", "--json", **here).out)["user"] == "zena_app"
    assert "nothing to do" in zena("migrate", **here).out
    assert zena("config", "check", "--database", **here).code == 0
    assert zena("things", "reach", **here).out == "postgresql worker=True\n"
    again = zena("serve", **here)
    assert again.code == Exit.CONFIG
    assert "runs here already" in again.err
    assert len(again.err.splitlines()) == 1


def test_F01_F02_the_web_process_is_killed_then_everything_and_all_comes_back(site: Path) -> None:
    with serving(site) as (process, url):
        pid, _ = page(url)
        os.kill(pid, signal.SIGKILL)
        again, _ = page(url)  # the connection waits in the listening socket, it is not refused
        assert again != pid
        state = read_state(site)
        assert state is not None
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while (alive(again) or alive(state.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(again)
        assert not alive(state.pid)
    # The port is free again at once.
    with serving(site, ZENA_PORT=url.rpartition(":")[2]) as (_, second):
        assert second == url
        page(url)


@pytest.mark.proof
def test_F02_a_frozen_web_process_is_replaced_and_the_page_is_there_again(site: Path) -> None:
    with serving(site) as (_, url):
        pid, _ = page(url)
        time.sleep(1)  # a sign of life
        os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + 60
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not alive(pid)
        again, _ = page(url)
        assert again != pid


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ran = zena("serve", ZENA_DATA_DIR=tmp_path, ZENA_PORT=port)
    assert ran.code == Exit.CONFIG
    assert ran.err == f"zena: port {port} is taken by another program; stop it, or choose another port with ZENA_PORT\n"
    assert not (tmp_path / "postgres").exists()


@pytest.fixture(scope="module")
def migrated(server: EmbeddedPostgres) -> str:
    """The name of a database at this release's schema, to copy."""
    with open_folder() as folder:
        urls = server.create_database("migrated").environment()
        assert zena("migrate", ZENA_DATA_DIR=folder, **urls).code == 0
    return "migrated"


def test_an_external_database(server: EmbeddedPostgres, migrated: str) -> None:
    urls = server.create_database("empty").environment()
    with open_folder() as folder:
        here = {"ZENA_DATA_DIR": str(folder), **urls}
        ran = zena("web", **here)
        assert ran.code == Exit.CONFIG
        assert "zena migrate" in ran.err
        missing = {name: value for name, value in here.items() if name != "ZENA_DATABASE_OWNER_URL"}
        ran = zena("migrate", **missing)
        assert (ran.code, "ZENA_DATABASE_OWNER_URL" in ran.err) == (Exit.CONFIG, True)
        with serving(folder, **server.create_database("outside", template=migrated).environment()) as (_, url):
            assert page(url)[1] == "['database_ops_read_url', 'database_url']"
        assert not (folder / "postgres").exists()


def test_two_workers_are_supervised(server: EmbeddedPostgres, migrated: str) -> None:
    urls = server.create_database("workers", template=migrated).environment()
    with open_folder() as folder:
        here = {"ZENA_DATA_DIR": str(folder), **urls}
        with subprocess.Popen(command("queue", "work", "--workers", "2"), env=variables(**here)) as process:
            note = folder / "workers.json"
            deadline = time.monotonic() + 20
            while not note.exists() or len(json.loads(note.read_text())["children"]) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            pids = [pid for pid, _ in json.loads(note.read_text())["children"]]
            time.sleep(2)
            process.terminate()
            assert process.wait(30) == 0
            assert not any(alive(pid) for pid in pids)


@pytest.mark.parametrize("arguments", [("web",), ("queue", "work"), ("config", "check", "--database")])
def test_A03_start_refuses_a_superuser(server: EmbeddedPostgres, arguments: tuple[str, ...], tmp_path: Path) -> None:
    ran = zena(*arguments, ZENA_DATA_DIR=tmp_path, ZENA_DATABASE_URL=server.urls().superuser)
    assert (ran.code, "the role postgres, a superuser" in ran.err) == (Exit.CONFIG, True)


def test_F18_an_older_or_newer_schema_is_refused(server: EmbeddedPostgres, migrated: str, tmp_path: Path) -> None:
    urls = server.create_database("schema", template=migrated)
    here = {"ZENA_DATA_DIR": str(tmp_path), **urls.environment()}
    for revision, advice in (("0000", "run `zena migrate`"), ("9999", "a newer release")):
        ask(urls.owner, f"UPDATE alembic_version SET version_num = '{revision}'", "SELECT 1")  # noqa: S608 - ours
        for arguments in (("web",), ("things", "reach")):
            ran = zena(*arguments, **here)
            assert (ran.code, advice in ran.err, len(ran.err.splitlines())) == (Exit.CONFIG, True, 1), arguments
    ran = zena("migrate", **here)
    assert (ran.code, "newer" in ran.err) == (Exit.CONFIG, True)


def test_the_revision_on_disk_is_the_one_of_the_migrations() -> None:
    assert head_on_disk("zena.migrations.run") == head()


def test_ctrl_c_ends_a_command_cleanly(tmp_path: Path, server: EmbeddedPostgres, migrated: str) -> None:
    urls = server.create_database("interrupted", template=migrated).environment()
    with subprocess.Popen(
        command("things", "reach", "--wait", "30"),
        env=variables(ZENA_DATA_DIR=tmp_path, **urls),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "reached\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == Exit.INTERRUPTED
        assert process.stderr is not None
        assert process.stderr.read() == "zena: interrupted; nothing more was done\n"


def test_the_printed_script_makes_what_we_make(server: EmbeddedPostgres) -> None:
    script = zena("db", "bootstrap", "--print-sql", "--database", "printed").out
    server.psql(script)
    urls = server.urls("printed")
    assert ask(urls.ops, "SELECT count(*) FROM pg_namespace WHERE nspname IN ('gate', 'queue')") == 2
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        ask(urls.app, "CREATE TABLE mine ()")


def test_a_command_on_its_own_starts_and_migrates_the_database() -> None:
    with open_folder() as folder:
        ran = zena("things", "reach", ZENA_DATA_DIR=folder)
        assert (ran.code, ran.out) == (0, "postgresql worker=True\n"), ran.err
        assert "0 to run" in zena("migrate", "--plan", ZENA_DATA_DIR=folder).out
        assert read_state(folder) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def may_run(user: int) -> bool:
    """Tell whether a user may pass through to this interpreter and what it imports, wherever both are kept."""
    try:
        code = "import zena.main, tests.cli.program"
        subprocess.run(
            [sys.executable, "-c", code], user=user, cwd="/", env=variables(), check=True, capture_output=True
        )
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def test_an_ordinary_user_needs_no_rights() -> None:
    if not may_run(65534):
        pytest.skip("LOUD SKIP: an ordinary user may not reach this Python, or we may not become one")
    with open_folder() as folder:
        os.chown(folder, 65534, 65534)
        with subprocess.Popen(
            command("serve"),
            env=variables(ZENA_DATA_DIR=folder, ZENA_PORT=0),
            stdout=subprocess.PIPE,
            text=True,
            user=65534,
            group=65534,
            extra_groups=[],
            cwd="/",
        ) as process:
            try:
                assert process.stdout is not None
                url = process.stdout.readline().split()[-1]
                assert Path(f"/proc/{page(url)[0]}").stat().st_uid == 65534
                assert {path.stat().st_uid for path in folder.rglob("*")} == {65534}
            finally:
                process.terminate()
            assert process.wait(40) == 0
