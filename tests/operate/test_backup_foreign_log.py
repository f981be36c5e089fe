"""The documentation's way to any moment of a server that somebody else runs, command by command as it stands there."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import ROOT, variables, zena
from tests.faults.installation import free_port
from tests.kit.pg import ask
from tests.operate.servers import PASSWORDS, Server, foreign
from zena.kit.embedded.account import server_account
from zena.kit.embedded.place import SHELTER
from zena.kit.embedded.wheel import installed, reachable

pytestmark = pytest.mark.proof

#: The wheel's pg_verifybackup of 18 ends with a segmentation fault whatever it is asked, and that of 16 reads only its
#: own: on 18 the check of the copy is left out, and starting it has to do.
WITHOUT_VERIFY = {18}
COMMENTS = "SELECT count(*) FROM comment"
BEHIND = "SELECT pg_current_wal_flush_lsn() <= coalesce(max(flush_lsn), '0/0') FROM pg_stat_replication"


def until(true: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def blocks() -> dict[str, str]:
    """The fenced pieces of the section, by what they begin with."""
    text = (ROOT / "docs/operate/backups.md").read_text(encoding="utf-8").partition("no more than a minute there")[2]
    found = re.findall(r"```(?:sh|sql)?\n(.*?)```", text, re.DOTALL)
    names = ("hba", "limit", "once", "receive", "night", "restore", "after")
    assert len(found) == len(names)
    return dict(zip(names, found, strict=True))


@dataclass
class Aside:
    """The machine beside the server: a directory and the programs of the server's release."""

    server: Server
    folder: Path
    told: dict[str, str] = field(default_factory=blocks)

    def variables(self, **more: object) -> dict[str, str]:
        programs = Path(installed(self.server.major).tool("psql")).parent
        found = variables(PGPASSWORD=PASSWORDS["backup"], PGPORT=self.server.port, **more)
        return found | {"PATH": f"{programs}:{self.folder}:{os.environ['PATH']}"}

    def script(self, *names: str) -> str:
        text = self.told["once"].splitlines()[0] + "\n" + "".join(self.told[name] for name in names)
        for there, here in (
            ("db.example.com", "127.0.0.1"), ("PGPORT=5432", ""), ("/var/lib/zena-log", str(self.folder / "log")),
            ("/var/lib/postgresql/restored", str(self.folder / "restored")),
            ("$LOG/base-20260301T020000Z", "$(ls -d $LOG/base-* | tail -n 1)"),
        ):  # fmt: skip
            text = text.replace(there, here)
        if self.server.major in WITHOUT_VERIFY:
            text = text.replace("pg_verifybackup --no-parse-wal $NEW\n", "")
        return "set -e\n" + text

    def run(self, *names: str, **more: str) -> None:
        text = self.script(*names)
        for there, here in more.items():
            text = text.replace(there, here)
        done = subprocess.run(
            ["bash", "-c", text], env=self.variables(), capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def receive(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["bash", "-c", self.script("receive")], env=self.variables(), start_new_session=True)

    def start_restored(self, port: int) -> None:
        there, account = self.folder / "restored", server_account()
        if account is not None:
            for path in (there, *there.rglob("*")):
                account.give(path)
        log = there / "start.log"
        how = f"-p {port} -k {there} -c listen_addresses=127.0.0.1 -c max_connections=80"
        binaries = reachable(installed(self.server.major), account, SHELTER)  # wherever the checkout lies
        command = [binaries.tool("postgres"), "-D", str(there), *how.split()]
        ids = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
        with log.open("wb") as lines:
            server = subprocess.Popen(command, cwd="/", stdout=lines, stderr=lines, start_new_session=True, **ids)  # type: ignore[call-overload]  # two users of one call
        note = there / "postmaster.pid"
        until(lambda: server.poll() is not None or (note.exists() and "ready" in note.read_text()), 90)
        assert server.poll() is None, log.read_text(errors="replace")[-3000:]

    def stop_restored(self) -> None:
        note = self.folder / "restored" / "postmaster.pid"
        if note.exists():
            os.kill(int(note.read_text().splitlines()[0]), signal.SIGQUIT)
            until(lambda: not note.exists())
        shutil.rmtree(self.folder / "restored", ignore_errors=True)


@pytest.fixture(params=[16, 18])
def aside(request: pytest.FixtureRequest) -> Iterator[Aside]:
    with foreign(request.param) as server:
        server.bootstrap()
        made = Aside(server, server.folder / "aside")
        made.folder.mkdir(mode=0o755)
        (made.folder / "log").mkdir(mode=0o755)  # the server's user fetches from it
        hba = Path(ask(server.superuser, "SHOW hba_file"))
        hba.write_text(hba.read_text() + made.told["hba"].replace("10.0.0.0/8", "127.0.0.1/32"))
        assert server.psql(made.told["limit"]).returncode == 0
        for words in (("migrate",), ("demo",)):
            ran = zena(*words, module="zena", ZENA_DATA_DIR=server.folder / "ours", **server.variables)
            assert ran.code == 0, ran.err
        try:
            yield made
        finally:
            made.stop_restored()


def status(aside: Aside) -> str:
    return zena("status", module="zena", ZENA_DATA_DIR=aside.server.folder / "ours", **aside.server.variables).out


def test_any_moment_of_a_server_of_somebody_else_comes_back(aside: Aside) -> None:
    far = aside.server.url("ops")
    aside.run("once")
    assert "zena_log AWAY" in status(aside)
    aside.run("night")  # before anything was fetched: the slot alone has kept what the copy needs
    receiver = aside.receive()
    try:
        comments = ask(far, COMMENTS)
        ask(far, "UPDATE task SET name = 'kept'", "SELECT 1")
        moment = ask(far, "SELECT clock_timestamp()::text")
        os.killpg(receiver.pid, signal.SIGKILL)
        receiver.wait()
        cut_short(aside.folder / "log" / "wal")
        ask(far, "DELETE FROM comment", "SELECT 1")
        receiver = aside.receive()
        until(lambda: ask(aside.server.superuser, BEHIND))
        assert "zena_log fetches" in status(aside)
    finally:
        os.killpg(receiver.pid, signal.SIGINT)
        receiver.wait()
    for path in (aside.folder / "log", aside.folder / "log" / "wal", *(aside.folder / "log" / "wal").iterdir()):
        path.chmod(0o755)
    port = free_port()
    for line, left in (("2026-03-01 14:05:00+00", comments), (None, 0)):
        aside.stop_restored()
        cut = "recovery_target_time = '2026-03-01 14:05:00+00'\n"
        aside.run("restore", **({cut: ""} if line is None else {line: moment}))
        aside.start_restored(port)
        there = far.replace(f":{aside.server.port}/", f":{port}/")
        until(partial(ask, there, "SELECT NOT pg_is_in_recovery()"))
        assert ask(there, COMMENTS) == left
        assert ask(there, "SELECT count(*) FILTER (WHERE name = 'kept') = count(*) FROM task")
    settled(aside, port)


def cut_short(there: Path) -> None:
    """Leave what a receiver leaves that is killed while it makes a file: pg_receivewal fills it up before it writes."""
    for path in there.glob("*.partial"):
        os.truncate(path, 8192)


def settled(aside: Aside, port: int) -> None:
    """What is told to do before Zena goes on there."""
    program = aside.folder / "zena"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m zena "$@"\n')
    program.chmod(0o755)
    urls = {name: url.replace(f":{aside.server.port}/", f":{port}/") for name, url in aside.server.variables.items()}
    done = subprocess.run(
        ["bash", "-c", "set -e\n" + aside.told["after"]],
        env=aside.variables(ZENA_DATA_DIR=aside.server.folder / "ours", **urls),
        cwd="/", capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert ask(urls["ZENA_DATABASE_OPS_URL"], "SELECT count(*) FROM session WHERE revoked_at IS NULL") == 0
