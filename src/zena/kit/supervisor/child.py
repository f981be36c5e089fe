"""One supervised process and when to start it again."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from zena.kit.exits import Exit
from zena.kit.supervisor.plan import Spec

#: Seconds before a process that keeps failing is started again: doubled from the first to the last.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
#: A process that worked for so many seconds, or was killed from outside, has not failed by itself.
_SETTLED = 5.0
#: A supervisor that itself was held up for so long has no right to call others silent.
_HELD_UP = 2.0


class Child:
    """A running process. `ready` turns true when it says that it takes work; `silent` when it said nothing for long.

    Only who has given signs of life can fall silent: a process that closes its pipe is left alone.
    """

    def __init__(self, spec: Spec, variables: Mapping[str, str], inherited: Sequence[int], *, gate: int) -> None:
        """Start it, tied to the life of this thread's process; it waits until reading `gate` ends."""
        self.spec = spec
        self.ready = False
        self.started = time.monotonic()
        self.stop_by: float | None = None
        self.silent = False
        self._heard: float | None = None
        self._listened = self.started
        self.signals, theirs = os.pipe()
        os.set_blocking(self.signals, False)
        tie = ["--parent", str(os.getpid()), "--ready-fd", str(theirs), "--go-fd", str(gate)]
        try:
            # A session of its own: Ctrl-C reaches the supervisor only, which then drains its children in order.
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*spec.command, *tie],
                env=dict(variables),
                pass_fds=(theirs, gate, *inherited),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            os.close(self.signals)
            raise
        finally:
            os.close(theirs)

    def look(self) -> int | None:
        """Note readiness and signs of life, and return the exit status once it has ended."""
        now, held_up = time.monotonic(), time.monotonic() - self._listened > _HELD_UP
        self._listened = now
        with suppress(BlockingIOError):
            said = os.read(self.signals, 65_536)
            self.ready = self.ready or b"\n" in said
            self._heard = now if b"." in said else self._heard if said else None
        if self._heard is not None and held_up:
            self._heard = now
        return self.process.poll()

    def stop(self) -> None:
        """Ask it to drain; it is killed when its grace is over."""
        if self.stop_by is None:
            self.stop_by = time.monotonic() + self.spec.grace
            self.process.terminate()

    def enforce(self) -> None:
        """Kill it if it was asked to stop and did not, or if it neither works nor ends: frozen, or blocked."""
        now = time.monotonic()
        late = self.stop_by is not None and now > self.stop_by
        self.silent = self.stop_by is None and self._heard is not None and now - self._heard > self.spec.patience
        if (late or self.silent) and self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        """End it and whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        os.close(self.signals)

    @property
    def failed_by_itself(self) -> bool:
        """Whether it ended of its own fault: neither killed from outside nor after a time of good work."""
        status = self.process.returncode
        if self.ready and status in {-signal.SIGKILL, -signal.SIGTERM, Exit.OK}:
            return False
        return not (self.ready and time.monotonic() - self.started > _SETTLED)


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 16)) if failures else FIRST_PAUSE / 2
