"""The supervisor's life: database, preparation, processes, and the way back."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from zena.kit.embedded import AlreadyRunning, EmbeddedError, EmbeddedPostgres
from zena.kit.exits import Exit
from zena.kit.supervisor import leftovers, wish
from zena.kit.supervisor.child import Child, pause_after
from zena.kit.supervisor.crew import Crew
from zena.kit.supervisor.plan import Plan, Spec, environment
from zena.kit.supervisor.preparation import Preparation
from zena.kit.supervisor.voice import announce, keep_log, tell

_TICK = 0.2
#: A full disk and a stuck tool count too: the supervisor outlives both and tries again.
_DATABASE_TROUBLE = (EmbeddedError, OSError, subprocess.SubprocessError)


class _Stopped(BaseException):
    """A signal to stop, while something long was under way."""


class Supervisor:
    """Runs one plan. `run` returns the exit status of the whole.

    SIGTERM, SIGINT and SIGHUP drain and stop, a second one stops at once; SIGUSR1 replaces the processes one by one,
    those of one kind where a wish waits beside the note (wish.py).
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        keep_log(plan.log)
        self._database = (
            EmbeddedPostgres(Path(plan.data_dir), database=plan.database, options=plan.server_options)
            if plan.embedded
            else None
        )
        self._database_failures = 0
        self._database_retry_at = 0.0
        self._urls: dict[str, str] = {}
        self._values: Mapping[str, str] = plan.values
        self._former: tuple[Mapping[str, str], Mapping[str, int]] | None = None
        self._crew = Crew(list(plan.children), self._spawn)
        self._stop_signals = 0
        self._in_long_call = False
        self._preparation = Preparation()
        self._announced = False
        self._noted: tuple[list[int], dict[str, Any]] | None = None
        self._restart: dict[str, str] = {}
        self._replace = False
        self._wake, self._waker = os.pipe()

    def run(self) -> int:
        """Start everything, keep it running until SIGTERM or SIGINT, end everything."""
        self._listen_to_signals()
        status: int = Exit.OK
        try:
            self._begin()
            status = self._watch()
        except _Stopped:
            status = Exit.OK
        except EmbeddedError as error:
            tell(str(error))
            status = Exit.CONFIG if isinstance(error, AlreadyRunning) else Exit.UNAVAILABLE
        except OSError as error:
            tell(f"{error.filename or 'the system'}: {error.strerror or error}")
            status = Exit.IO
        finally:
            self._end()
        return status

    def _begin(self) -> None:
        self._in_long_call = True
        if self._stop_signals:
            raise _Stopped
        if self._database is not None:
            self._urls = self._database.start().environment()
        self._in_long_call = False
        prepare = self._plan.prepare
        self._preparation.begin(prepare, self._environment(prepare) if prepare else {})

    def _watch(self) -> int:
        while not self._stop_signals:
            self._keep_database()
            if self._replace:
                self._begin_replacing()
            self._crew.tick()
            failed = self._preparation.look() or self._crew.hopeless
            if failed is not None:
                return failed
            self._note()
            self._announce()
            self._sleep()
        return Exit.OK

    def _begin_replacing(self) -> None:
        """Replace what the waiting wish names, everything where none waits."""
        self._replace = False
        wanted = wish.take(self._plan.state_file) or wish.Wish("", "")
        if wanted.values is not None:
            self._former, self._values = (self._values, self._crew.pids), wanted.values
        self._crew.replace(wanted.kind or None)
        self._restart = {"id": wanted.id, "kind": wanted.kind, "state": "running"}

    def _follow_replacing(self) -> None:
        if self._restart.get("state") != "running" or self._crew.replacing:
            return
        refused = self._crew.refused or self._restart.get("refused", "")
        self._restart["refused"] = refused
        former, self._former = self._former, None
        if refused and former is not None:
            self._values, before = former
            if self._crew.pids != before:  # some have the new settings already: all are to have the same
                self._crew.replace()
                return
        self._restart["state"] = "failed" if refused else "done"

    def _keep_database(self) -> None:
        """Start the database again if it died; the processes wait for it by themselves."""
        if self._database is None or self._database.pid is not None or time.monotonic() < self._database_retry_at:
            return
        tell("the embedded database ended; starting it again")
        self._in_long_call = True
        try:
            urls = self._database.start().environment()
            self._database_failures = 0
            if urls != self._urls:
                self._urls = urls
                self._crew.replace()
        except _DATABASE_TROUBLE as error:
            self._database_failures += 1
            self._database_retry_at = time.monotonic() + pause_after(self._database_failures)
            tell(str(error))
        self._in_long_call = False

    def _spawn(self, spec: Spec) -> Child:
        return Child(spec, self._environment(spec), self._plan.listeners, gate=self._preparation.gate)

    def _environment(self, spec: Spec) -> dict[str, str]:
        return environment(spec, os.environ, self._urls, self._values)

    def _note(self) -> None:
        """Write down who runs, for the next start after a kill, and how a wish fares, for who waits for it."""
        self._follow_replacing()
        pids = sorted(child.process.pid for child in self._crew.children)
        told: dict[str, Any] = {"crew": self._crew.pids, "restart": dict(self._restart)}
        if self._noted == (pids, told):
            return
        self._noted = pids, told
        try:
            leftovers.write(self._plan.state_file, self._plan.url, pids, told)
        except OSError as error:
            tell(f"{self._plan.state_file} cannot be written: {error.strerror}")

    def _announce(self) -> None:
        if not self._announced and self._preparation.done and self._crew.serves:
            self._announced = True
            for line in filter(None, (self._plan.url and f"Zena is at {self._plan.url}", self._preparation.line)):
                announce(line)

    def _sleep(self) -> None:
        readable, _, _ = select.select([self._wake], [], [], _TICK)
        if readable:
            os.read(self._wake, 4096)

    def _end(self) -> None:
        """Drain the processes, then the database: nobody loses its connection mid-request."""
        self._in_long_call = False
        self._crew.stop()
        self._preparation.end()
        patience = self._stop_signals
        while self._crew.children:
            self._crew.tick()
            if self._stop_signals > max(patience, 1):
                self._crew.kill()
            self._sleep()
        if self._database is not None:
            self._database.stop()
        if self._noted is not None:  # else the note is another supervisor's
            self._plan.state_file.unlink(missing_ok=True)

    def _listen_to_signals(self) -> None:
        for number in (self._wake, self._waker):
            os.set_blocking(number, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_replace)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the loop

    def _on_replace(self, _number: int, _frame: FrameType | None) -> None:
        self._replace = True

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_signals += 1
        if self._in_long_call:
            self._in_long_call = False
            raise _Stopped
