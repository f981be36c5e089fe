"""A PostgreSQL that somebody else runs, reached by TCP, and a PgBouncer before it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.cli.run import zena
from tests.faults.installation import free_port, wait
from tests.kit.pg import FAST, ask, open_folder
from tests.kit.tools import program
from zena.kit.embedded import EmbeddedPostgres
from zena.kit.embedded.wheel import installed
from zena.kit.roles import ROLES

PASSWORDS = {role: f"{role.replace('_', '')}-{'3f' * 8}" for role in ROLES}


@dataclass
class Server:
    """Nothing of ours is in it until `bootstrap`. `urls` are what settings name."""

    major: int
    port: int
    superuser: str
    folder: Path
    urls: dict[str, str] = field(default_factory=dict)

    def url(self, role: str) -> str:
        return f"postgresql://zena_{role}:{PASSWORDS[role]}@127.0.0.1:{self.port}/zena"

    @property
    def variables(self) -> dict[str, str]:
        names = {role: "ZENA_DATABASE_URL" if role == "app" else f"ZENA_DATABASE_{role.upper()}_URL" for role in ROLES}
        return {name: self.url(role) for role, name in names.items()}

    def psql(self, script: str, *options: str) -> "subprocess.CompletedProcess[str]":
        command = [installed(self.major).tool("psql"), "-X", "-q", *options, "-d", self.superuser, "-f", "-"]
        return subprocess.run(command, input=script, capture_output=True, text=True, check=False)

    def bootstrap(self) -> None:
        """As the documentation tells an administrator."""
        printed = zena("db", "bootstrap", "--print-sql", module="zena", ZENA_DATA_DIR=self.folder)
        assert printed.code == 0, printed.err
        variables = [word for role in ROLES for word in ("-v", f"{role}_password={PASSWORDS[role]}")]
        for _ in range(2):
            ran = self.psql(printed.out, *variables)
            assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr


@contextmanager
def foreign(major: int) -> Iterator[Server]:
    """Run a server of the wheel as a stranger would: by TCP with SCRAM, without a role or database of ours."""
    with open_folder("zs-") as folder:
        port = free_port()
        options = FAST | {"listen_addresses": "127.0.0.1", "port": str(port), "max_connections": "80"}
        running = EmbeddedPostgres(folder / "far", major=major, options=options)
        try:
            superuser = running.start().superuser
            password = urlsplit(superuser).password
            far = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
            ask(far, "DROP DATABASE zena WITH (FORCE)", "SELECT 1")
            for role in ("zena_ops", "zena_app", "zena_owner", "zena_ops_read", "zena_backup", "zena_queue"):
                ask(far, f"DROP ROLE {role}", "SELECT 1")
            yield Server(major, port, far, folder)
        finally:
            running.stop()


@dataclass
class Pooler:
    """PgBouncer in transaction mode with two connections for everybody, so that they change hands all the time."""

    folder: Path
    server: Server
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql://zena_app:{PASSWORDS['app']}@127.0.0.1:{self.port}/zena"

    def start(self) -> None:
        (self.folder / "users.txt").write_text(f'"zena_app" "{PASSWORDS["app"]}"\n', encoding="ascii")
        settings = {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "pool_mode": "transaction",
            "auth_type": "scram-sha-256", "auth_file": self.folder / "users.txt", "default_pool_size": 2,
            "max_client_conn": 200, "logfile": "", "server_login_retry": 1,
        }  # fmt: skip
        lines = [f"{name} = {value}" for name, value in settings.items()]
        far = f"zena = host=127.0.0.1 port={self.server.port} dbname=zena"
        config = self.folder / "pgbouncer.ini"
        config.write_text("\n".join(["[databases]", far, "[pgbouncer]", *lines, ""]), encoding="ascii")
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        with (self.folder / "pgbouncer.log").open("ab") as sink:
            self.process = subprocess.Popen([program("pgbouncer"), *user, str(config)], stdout=sink, stderr=sink)
        wait(self._answers, (self.folder / "pgbouncer.log").read_text)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        with suppress(OSError, asyncpg.PostgresError):
            return bool(ask(self.url, "SELECT 1") == 1)
        return False


@contextmanager
def pooling(server: Server) -> Iterator[Pooler]:
    with open_folder("zb-") as folder:
        made = Pooler(folder, server)
        try:
            made.start()
            yield made
        finally:
            made.stop()
