"""The embedded server: made once, held by one, recovered after any death, its roles as narrow as promised."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.kit.pg import FAST, alive, ask, open_folder
from zena.kit.embedded import AlreadyRunning, ClusterUrls, EmbeddedError, EmbeddedPostgres, urls_of_running
from zena.kit.embedded.account import server_account
from zena.kit.embedded.attach import attach, attached
from zena.kit.embedded.orphans import status
from zena.settings import Role, Settings

HOLDER = """
import sys, time
from pathlib import Path
from zena.kit.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), options={"fsync": "off"})
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder, options=FAST)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def urls(server: EmbeddedPostgres) -> ClusterUrls:
    return server.urls()


def refused(url: str, statement: str) -> bool:
    try:
        ask(url, statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


def kill(server: EmbeddedPostgres) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.01)


def test_it_is_ours_not_the_wheels(urls: ClusterUrls) -> None:
    assert ask(urls.app, "SHOW server_version") == "18.4"
    assert ask(urls.app, "SHOW listen_addresses") == ""
    assert ask(urls.app, "SHOW data_checksums") == "on"
    assert ask(urls.app, "SHOW reserved_connections") == "3"
    locale = "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'zena'"
    assert ask(urls.app, locale) == "bC.UTF-8"
    assert ask(urls.app, "SELECT lower('ĐẶNG')") == "đặng"
    methods = "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules"
    assert ask(urls.superuser, methods) == "scram-sha-256"


def test_each_role_has_its_own_password(urls: ClusterUrls) -> None:
    for role in (*Role, "superuser"):
        expected = "postgres" if role == "superuser" else f"zena_{role}"
        assert ask(getattr(urls, role), "SELECT current_user::text") == expected
    assert len({getattr(urls, role) for role in Role}) == len(Role)
    assert "postgresql" not in repr(urls)
    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(urls.app.replace("zena_app:", "zena_app:x"), "SELECT 1")


def test_J04_passwords_lie_where_only_we_read(server: EmbeddedPostgres) -> None:
    secrets = server.data_dir / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in secrets.iterdir())


def test_A03_only_ops_and_backup_bypass(urls: ClusterUrls) -> None:
    found = "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'zena%' AND "
    assert ask(urls.app, found + "rolbypassrls") == "zena_backup,zena_ops"
    assert ask(urls.app, found + "rolcreatedb") == "zena_owner", "a backup is restored into a database of its own"
    assert ask(urls.app, found + "rolreplication") == "zena_backup", "base backups"
    assert ask(urls.app, found + "(rolsuper OR rolcreaterole)") is None


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine ()",
        "CREATE TEMP TABLE mine ()",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION gate.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "SET ROLE zena_owner",
        "SET ROLE zena_ops",
    ],
)
def test_A12_the_app_makes_nothing(urls: ClusterUrls, statement: str) -> None:
    assert refused(urls.app, statement)


def test_default_privileges(urls: ClusterUrls) -> None:
    ask(urls.owner, "CREATE TABLE fresh (id int)", "SELECT 1")
    assert refused(urls.app, "SELECT * FROM fresh")
    assert refused(urls.ops_read, "INSERT INTO fresh VALUES (1)")
    assert ask(urls.ops, "INSERT INTO fresh VALUES (1)", "SELECT count(*) FROM fresh") == 1
    assert ask(urls.ops_read, "SELECT count(*) FROM fresh") == 1
    assert ask(urls.backup, "SELECT count(*) FROM fresh") == 1
    ask(urls.owner, "CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT 1")
    assert refused(urls.app, "SELECT secret()")
    assert ask(urls.ops, "SET ROLE zena_app", "SELECT current_user::text") == "zena_app"


def test_more_databases_and_copies(server: EmbeddedPostgres) -> None:
    first = server.create_database("first")
    ask(first.owner, "CREATE TABLE kept AS SELECT 7 AS n", "SELECT 1")
    ask(first.owner, "GRANT SELECT ON kept TO zena_app", "SELECT 1")
    copy = server.create_database("second", template="first")
    assert ask(copy.app, "SELECT n FROM kept") == 7
    assert refused(copy.app, "CREATE TEMP TABLE mine ()")
    server.drop_database("second")
    server.drop_database("second")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        ask(copy.app, "SELECT 1")
    for name in ("No", "x; DROP DATABASE zena", "", "x" * 64):
        with pytest.raises(ValueError, match="database name"):
            server.create_database(name)


def test_others_find_it_while_it_runs(server: EmbeddedPostgres, urls: ClusterUrls) -> None:
    assert urls_of_running(server.data_dir) == urls
    settings = Settings(data_dir=server.data_dir)
    assert attach(settings).dsn(Role.OPS) == urls.ops
    with attached(settings) as found:
        assert found.dsn() == urls.app
    assert server.pid is not None


def test_a_second_start_is_refused_clearly(server: EmbeddedPostgres) -> None:
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        EmbeddedPostgres(server.data_dir, options=FAST).start()
    assert ask(server.urls().app, "SELECT 1") == 1


def test_F05_it_starts_again_after_a_kill(server: EmbeddedPostgres, urls: ClusterUrls) -> None:
    ask(urls.owner, "CREATE TABLE IF NOT EXISTS durable (n int)", "INSERT INTO durable VALUES (1) RETURNING n")
    kill(server)
    assert server.poll() == -signal.SIGKILL
    assert server.start() == urls
    assert ask(urls.owner, "SELECT count(*) FROM durable") >= 1


def test_a_second_start_of_the_same_folder_finds_everything() -> None:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, options=FAST)
        first = server.start()
        ask(first.owner, "CREATE TABLE kept AS SELECT 7 AS n", "SELECT 1")
        server.stop()
        assert urls_of_running(folder) is None
        with pytest.raises(EmbeddedError, match="zena serve"):
            attach(Settings(data_dir=folder))
        with attached(Settings(data_dir=folder)) as found:
            assert ask(found.dsn(Role.OWNER), "SELECT n FROM kept") == 7
        assert urls_of_running(folder) is None


def test_no_orphan_outlives_its_holder() -> None:
    with open_folder() as folder:
        with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            postmaster = int(holder.stdout.readline())
            holder.kill()
        deadline = time.monotonic() + 10
        while alive(postmaster) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(postmaster)
        server = EmbeddedPostgres(folder, options=FAST)
        assert ask(server.start().app, "SELECT 1") == 1
        server.stop()


def test_an_orphan_and_a_stale_lock_are_survived() -> None:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, options=FAST)
        server.start()
        assert server._hold is not None
        cluster, orphan = server._hold.place.cluster, server.pid
        # As if the holder had been killed where the platform cannot tie lives together.
        server._hold.lock.close()
        second = EmbeddedPostgres(folder, options=FAST)
        second.start()
        assert orphan is not None
        assert server.pid is None
        second.stop()
        # After a reboot the number in the lock file is somebody else's.
        text = f"{os.getpid()}\n{cluster}\n1700000000\n5432\n/tmp\n\n  1 1\nready\n"
        (cluster / "postmaster.pid").write_text(text)
        assert ask(second.start().app, "SELECT 1") == 1
        assert status(cluster) == (second.pid, "ready")
        second.stop()


def test_a_long_path_gets_a_short_socket() -> None:
    with open_folder() as top:
        folder = top / ("long-" * 24)
        folder.mkdir()
        folder.chmod(0o711)
        server = EmbeddedPostgres(folder, options=FAST)
        urls = server.start()
        assert ask(urls.app, "SELECT 1") == 1
        sockets = Path(urls.app.partition("host=")[2])
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        server.stop()
        assert not sockets.exists()


def test_a_crash_while_making_the_cluster_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder:
        with monkeypatch.context() as broken:
            broken.setattr("zena.kit.embedded.initdb._locales", lambda _: [["--no-such-option"]])
            with pytest.raises(EmbeddedError, match="no-such-option"):
                EmbeddedPostgres(folder, options=FAST).start()
        assert not (folder / "postgres" / "18" / "PG_VERSION").exists()
        server = EmbeddedPostgres(folder, options=FAST)
        assert ask(server.start().app, "SELECT 1") == 1
        server.stop()


def test_a_server_that_cannot_start_says_why() -> None:
    with open_folder() as folder, pytest.raises(EmbeddedError, match="shared_buffers"):
        EmbeddedPostgres(folder, options={**FAST, "shared_buffers": "nonsense"}).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user and a shelter")
def test_root_in_a_closed_home_gets_a_shelter(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as home, open_folder("zs-") as shelter:
        monkeypatch.setattr("zena.kit.embedded.place.SHELTER", shelter)
        home.chmod(0o700)
        server = EmbeddedPostgres(home / "var", options=FAST)
        urls = server.start()
        assert ask(urls.superuser, "SHOW data_directory").startswith(str(shelter))
        account = server_account()
        assert account is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid == account.uid != 0
        server.stop()
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        (home / "var").rename(home / "moved")
        moved = EmbeddedPostgres(home / "moved", options=FAST)
        assert ask(moved.start().superuser, "SHOW data_directory").startswith(str(shelter))
        moved.stop()
        fresh = EmbeddedPostgres(home / "var", options=FAST)
        fresh.start()
        fresh.stop()
        # The server's own programs go there too where their account may not pass to them, as in a closed checkout.
        clusters = [folder for folder in shelter.iterdir() if not folder.name.startswith("pginstall")]
        assert len(clusters) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as another user")
def test_binaries_in_a_closed_home_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder, open_folder("zs-") as shelter:
        monkeypatch.setattr("zena.kit.embedded.place.SHELTER", shelter)
        account = server_account()
        assert account is not None
        reaches = type(account).reaches
        monkeypatch.setattr(
            type(account), "reaches", lambda self, path: "site-packages" not in str(path) and reaches(self, path)
        )
        monkeypatch.setattr("zena.kit.embedded.place.choose", lambda data_dir, major, _: _place(data_dir, major))
        server = EmbeddedPostgres(folder, options=FAST)
        assert ask(server.start().app, "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(shelter)
        server.stop()


def _place(data_dir: Path, major: int) -> object:
    from zena.kit.embedded.place import Place

    (data_dir / "postgres").mkdir()
    (data_dir / "postgres").chmod(0o711)
    return Place(data_dir / "postgres", major)


def test_sixteen_over_tcp_holds_the_same_promises() -> None:
    with open_folder() as folder, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        options = {**FAST, "listen_addresses": "127.0.0.1", "port": str(port)}
        server = EmbeddedPostgres(folder, major=16, options=options)
        urls = server.start()
        assert f"@127.0.0.1:{port}/zena" in urls.app
        assert ask(urls.app, "SHOW server_version") == "16.14"
        assert ask(urls.app, "SELECT lower('ĐẶNG')") == "đặng"
        assert refused(urls.app, "CREATE TEMP TABLE mine ()")
        assert ask(urls.ops, "SET ROLE zena_app", "SELECT current_user::text") == "zena_app"
        assert urls_of_running(folder) == urls
        server.stop()


def test_there_is_no_seventeen() -> None:
    with open_folder() as folder, pytest.raises(EmbeddedError, match="16, 18"):
        EmbeddedPostgres(folder, major=17).start()
