"""One embedded PostgreSQL server: made, started, watched and stopped by the process that holds it."""

import hashlib
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from zena.kit.embedded import config, initdb, orphans, place, running, wheel
from zena.kit.embedded.account import Account, server_account
from zena.kit.embedded.urls import SUPERUSER, ClusterUrls, EmbeddedError
from zena.kit.roles import DATABASE, bootstrap_sql, checked_name

_POLL = 0.01
#: Crash recovery of a large database may take long; a server that dies is told at once.
_START_TIMEOUT = 600.0
_SCRIPT_TIMEOUT = 120
#: Back ends of a postmaster that was killed keep its memory for a moment.
_MEMORY_TIMEOUT = 15.0
_MEMORY_HELD = "shared memory block"


@dataclass(slots=True)
class _Hold:
    """The data directory while it is ours."""

    place: place.Place
    lock: TextIO
    account: Account | None
    sockets: Path


class EmbeddedPostgres:
    """The server of a data directory. `start` and `stop` block; the server dies with the thread that started it.

    Raises AlreadyRunning when another process holds the data directory, EmbeddedError when the server cannot run here.
    """

    def __init__(
        self, data_dir: Path, *, major: int = 18, database: str = DATABASE, options: Mapping[str, str] | None = None
    ) -> None:
        """Name the server. `options` are server settings that win over ours: fsync off for tests, a TCP port."""
        self.data_dir = data_dir.absolute()
        self.major = major
        self.database = database
        self._options = dict(options or {})
        self._port = int(self._options.get("port", 5432)) if self._options.get("listen_addresses") else None
        self._process: subprocess.Popen[bytes] | None = None
        self._hold: _Hold | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def poll(self) -> int | None:
        """Return the exit status of a server that ended, None while it runs or was not started."""
        return self._process.poll() if self._process else None

    def start(self) -> ClusterUrls:
        """Make what is missing, start the server, and return its URLs once it takes connections.

        Starts it again if it died meanwhile; the URLs stay the same.
        """
        if self.pid is None:
            try:
                self._start(self._hold or self._take())
            except BaseException:
                self.stop()
                raise
        return self.urls()

    def _take(self) -> _Hold:
        account = server_account()
        there = place.choose(self.data_dir, self.major, account)
        lock = place.lock(there.base)
        try:
            before = running.read_state(self.data_dir)
            if before is not None:
                place.forget_socket_directory(there, Path(before.sockets))
            self._hold = _Hold(there, lock, account, place.socket_directory(there, account))
        except BaseException:
            lock.close()
            raise
        return self._hold

    def _start(self, hold: _Hold) -> None:
        there = hold.place
        orphans.end_orphan(there.cluster)
        binaries = wheel.reachable(wheel.installed(self.major), hold.account, place.SHELTER)
        if not (there.cluster / "PG_VERSION").is_file():
            running.make_passwords(self.data_dir, self.major)
        password = self._passwords()["superuser"]
        durable = self._options.get("fsync") != "off"
        initdb.make_cluster(there, binaries, hold.account, password=password, durable=durable)
        place.own(there.logs, hold.account)
        place.own(there.wal, hold.account)
        config.write(there.config, major=self.major, logs=there.logs, wal=there.wal, options=self._options)
        self._process = self._launch(hold, binaries)
        running.write_state(
            self.data_dir,
            running.Running(
                self._process.pid, self.major, str(hold.sockets), self._port, str(there.cluster), self.database
            ),
        )
        self._bootstrap(there)

    def _launch(self, hold: _Hold, binaries: wheel.Binaries) -> "subprocess.Popen[bytes]":
        options = {"config_file": hold.place.config / "postgresql.conf", "unix_socket_directories": hold.sockets}
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        command = [binaries.tool("postgres"), "-D", str(hold.place.cluster), *flags]
        patience = time.monotonic() + _MEMORY_TIMEOUT
        while True:
            with hold.place.startup_log.open("wb") as log:
                # A session of its own: Ctrl-C in a terminal must reach us first, who stop the server last.
                process = subprocess.Popen(  # noqa: S603 - our own binaries
                    initdb.as_account(hold.account, command),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd="/",
                )
            self._process = process
            if _ready(process, hold.place):
                return process
            last_words = _tail(hold.place)
            if _MEMORY_HELD not in last_words or time.monotonic() > patience:
                raise EmbeddedError(f"the embedded database did not start: {last_words}")
            time.sleep(1)

    def _bootstrap(self, there: place.Place) -> None:
        passwords = {role: password for role, password in self._passwords().items() if role != "superuser"}
        script = bootstrap_sql(self.database, passwords=passwords)
        digest = hashlib.sha256(script.encode()).hexdigest()
        if not there.marker.exists() or there.marker.read_text(encoding="ascii") != digest:
            self.psql(script)
            running.write_private(there.marker, digest)

    def urls(self, database: str | None = None) -> ClusterUrls:
        """Return one URL per role for a database of this server, its own if none is named."""
        name = database or self.database
        return ClusterUrls.of(self._passwords(), self._held().sockets, port=self._port, database=name)

    def create_database(self, name: str, *, template: str | None = None) -> ClusterUrls:
        """Make another database with the schemas and grants of ours, as a copy of `template` if one is named."""
        self.psql(bootstrap_sql(name, template=template))
        return self.urls(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, ending what is connected to it; no error if it is not there."""
        self.psql(f"DROP DATABASE IF EXISTS {checked_name(name)} WITH (FORCE);")

    def psql(self, script: str, database: str = "postgres") -> str:
        """Run a psql script as the server's superuser and return its output, one row per line, or raise."""
        sockets = self._held().sockets
        done = subprocess.run(  # noqa: S603 - our own binaries
            [wheel.installed(self.major).tool("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database],
            input=script,
            env={
                "LC_ALL": "C",
                "PATH": os.defpath,
                "PGHOST": str(sockets),
                "PGPORT": str(self._port or 5432),
                "PGUSER": SUPERUSER,
                "PGPASSWORD": self._passwords()["superuser"],
            },
            capture_output=True,
            text=True,
            timeout=_SCRIPT_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            raise EmbeddedError(f"the embedded database refused a script: {done.stderr.strip()}")
        return done.stdout

    def stop(self) -> None:
        """End the server: politely, then by force. Safe to call at any time; the data directory is free afterwards."""
        if self._process is not None:
            process, self._process = self._process, None
            orphans.end(process.pid, self._held().place.cluster, lambda: process.poll() is not None)
            running.forget_state(self.data_dir)
        if self._hold is not None:
            hold, self._hold = self._hold, None
            place.forget_socket_directory(hold.place, hold.sockets)
            hold.lock.close()

    def _held(self) -> _Hold:
        if self._hold is None:
            raise EmbeddedError("the embedded database has not been started")
        return self._hold

    def _passwords(self) -> dict[str, str]:
        return running.load_passwords(self.data_dir, self.major)


def _ready(process: "subprocess.Popen[bytes]", there: place.Place) -> bool:
    """Wait until the server takes connections; False if it ended instead."""
    deadline = time.monotonic() + _START_TIMEOUT
    while orphans.status(there.cluster) != (process.pid, "ready"):
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            raise EmbeddedError(f"the embedded database needs more than {_START_TIMEOUT:.0f} s: {_tail(there)}")
        time.sleep(_POLL)
    return True


def _tail(there: place.Place) -> str:
    """Return the last words of a server that failed to start."""
    logs = sorted(there.logs.glob("*.log"), key=lambda path: path.stat().st_mtime)
    texts = [there.startup_log, *logs[-1:]]
    lines = [line for path in texts for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[-4:]]
    return " | ".join(lines) or "it said nothing"
