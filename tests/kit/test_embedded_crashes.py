"""The embedded server when something goes wrong at the wrong moment: while it recovers, or while two begin at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import psutil
import pytest

from tests.kit.pg import ask, open_folder
from tests.kit.test_embedded import HOLDER
from zena.kit.embedded import EmbeddedPostgres
from zena.kit.embedded.account import Account
from zena.kit.embedded.attach import attached
from zena.kit.embedded.config import write
from zena.kit.embedded.place import choose
from zena.kit.embedded.wheel import Binaries, reachable
from zena.settings import Settings

STRANGER = Account(uid=64999, gid=64999)
AT_ONCE = 8
TURNS = 100


def at_once(task: Callable[[], Any]) -> list[Any]:
    """Do something in several threads that begin together."""
    gate = Barrier(AT_ONCE)

    def begin(_number: int) -> Any:
        gate.wait(30)
        return task()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(begin, range(AT_ONCE)))


def test_F03_a_server_that_is_stopped_while_it_recovers_ends_soon() -> None:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, options={"recovery_init_sync_method": "fsync"})  # the slow way: easy to meet
        server.start()
        try:
            ask(server.urls().owner, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n", "SELECT 1")
            assert server.pid is not None
            postmaster = psutil.Process(server.pid)
            recovery = crashed(postmaster)
            postmaster.send_signal(signal.SIGINT)  # what the death of its supervisor sends
            recovery.resume()
            began = time.monotonic()
            server.stop()
            # A fast shutdown would be waited for half a minute, and never come.
            assert time.monotonic() - began < 15
            assert not postmaster.is_running()
            assert ask(server.start().owner, "SELECT count(*) FROM kept") == 1_000
        finally:
            server.stop()


def test_F19_a_server_whose_holder_was_killed_is_not_relied_on() -> None:
    with open_folder() as folder:
        with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            orphan = psutil.Process(int(holder.stdout.readline()))
            orphan.suspend()  # it still takes connections, and has not heard yet that it is to end
            holder.kill()
        try:
            with attached(Settings(data_dir=folder)) as found:
                assert ask(found.dsn(), "SELECT 1") == 1
                assert not orphan.is_running()
        finally:
            with suppress(psutil.NoSuchProcess):
                orphan.kill()


def crashed(postmaster: psutil.Process) -> psutil.Process:
    """Kill a part of the server, and return the process that is to recover, halted before it began."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in parts(postmaster, "walwriter"):
            os.kill(child.pid, signal.SIGKILL)
        for child in parts(postmaster, "startup"):
            child.suspend()
            if child in parts(postmaster, "startup"):
                while not parts(postmaster, "checkpointer"):
                    assert time.monotonic() < deadline
                return child
            child.resume()  # it has begun, and says so behind its name
    pytest.fail("the recovery was never seen")


def parts(postmaster: psutil.Process, name: str) -> list[psutil.Process]:
    found = []
    for child in postmaster.children():
        try:
            if " ".join(child.cmdline()).strip() == f"postgres: {name}":
                found.append(child)
        except psutil.Error:
            continue
    return found


def test_starts_at_once_share_one_shelter(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as home, open_folder("zs-") as shelter:
        monkeypatch.setattr("zena.kit.embedded.place.SHELTER", shelter)
        (home / "closed").mkdir(mode=0o700)
        for turn in range(TURNS):
            data = home / "closed" / f"var{turn}"
            places = at_once(partial(lambda data: choose(data, 18, STRANGER).base, data))
            assert len(set(places)) == 1
            assert places[0].parent == shelter
            assert [path.name for path in (data / "postgres").iterdir()] == ["shelter"]


def test_starts_at_once_share_one_copy_of_the_binaries() -> None:
    with open_folder() as home, open_folder("zs-") as shelter:
        (home / "closed").mkdir(mode=0o700)
        installed = Binaries(home / "closed" / "wheel" / "pginstall")
        for name in ("bin/postgres", "bin/initdb", *(f"lib/{number}.so" for number in range(200))):
            (installed.root / name).parent.mkdir(parents=True, exist_ok=True)
            (installed.root / name).write_text(name)
        copies = at_once(lambda: reachable(installed, STRANGER, shelter).root)
        assert len(set(copies)) == 1
        assert {path.name for path in (copies[0] / "lib").iterdir()} == {f"{number}.so" for number in range(200)}
        assert len(list(shelter.iterdir())) == 1


@pytest.mark.parametrize(("release", "at_once"), [("5.7.19", False), ("5.8.0-rc1", True), ("6.1.0-13-amd64", True)])
def test_recovery_syncs_at_once_where_linux_tells_of_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str, *, at_once: bool
) -> None:
    system = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*system[:2], release, *system[3:])))
    monkeypatch.setattr("sys.platform", "linux")
    write(tmp_path / "config", major=18, logs=tmp_path, wal=tmp_path, options={})
    assert ("syncfs" in (tmp_path / "config" / "postgresql.conf").read_text()) == at_once
