"""Where lines go: each sink has a thread and a bounded queue of its own, so none holds up a request or another sink."""

import contextlib
import json
import logging
import queue
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from zena.kit.logfile import LogFile
from zena.kit.logs.lines import as_text

#: Lines that wait for a sink; more are dropped, and counted.
QUEUED: Final = 10_000
#: Lines kept in memory while the files do not take them; older ones are lost, and counted.
HELD: Final = 2_000
#: So many that wait are more than a thread that works is behind with.
_STUCK: Final = 1_000
_FAREWELL: Final = 2.0
_IDLE: Final = 1.0


class Written(NamedTuple):
    """A line as JSON without its end, with its channel."""

    channel: str
    text: str


class Sink(ABC):
    """A thread that writes lines. `dropped` counts those there was no room for, `dropped_at` tells when (monotonic)."""

    #: Whether its lines can be read again: canaries are for these.
    readable = False

    def __init__(self, name: str, least: int = 0) -> None:
        self.least = least  # severity below which lines of any channel are left out here
        self.dropped = 0
        self.dropped_at: float | None = None
        self._lines: queue.Queue[Written | None] = queue.Queue(QUEUED)
        self._thread = threading.Thread(target=self._run, name=f"log-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def silence(self) -> str | None:
        """Why it writes nothing though nothing is wrong with where it writes; None while it works."""
        if not self._thread.is_alive():
            return "the thread that writes lines has ended"
        waiting = self._lines.qsize()
        return f"{waiting} lines wait to be written" if waiting >= _STUCK else None

    def put(self, line: Written) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.lose(1)

    def lose(self, number: int) -> None:
        self.dropped += number
        self.dropped_at = time.monotonic()

    def stop(self) -> None:
        """Write what waits, and never wait long for a sink that stands still."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._lines.put(None, timeout=_FAREWELL)
                self._thread.join(_FAREWELL)

    @abstractmethod
    def write(self, line: Written) -> None:
        """Write a line, in the sink's own thread; whatever it raises ends the thread."""

    def idle(self) -> None:  # noqa: B027 - most have nothing to do then
        """Do what is to be done when nothing was logged for a second."""

    def _run(self) -> None:
        while True:
            try:
                line = self._lines.get(timeout=_IDLE)
            except queue.Empty:
                self.idle()
                continue
            if line is None:
                return
            self.write(line)


class Console(Sink):
    """Standard error: JSON for programs, text for people. A terminal that was closed is no trouble of ours."""

    def __init__(self, stream: TextIO, *, as_json: bool, least: int = 0) -> None:
        super().__init__("console", least)
        self._stream, self._json = stream, as_json

    def write(self, line: Written) -> None:
        text = line.text if self._json else as_text(json.loads(line.text))
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{text}\n")
            self._stream.flush()


class Files(Sink):
    """FOLDER/CHANNEL.log, one for each channel. What they do not take is held, and written when they take lines again.

    Without a console beside, such lines also go to standard error, at once.
    """

    readable = True

    def __init__(self, folder: Path, channels: Mapping[str, str], *, max_bytes: int, keep: int, alone: bool) -> None:
        super().__init__("files")
        self.folder = folder
        self._files = {name: LogFile(folder / f"{name}.log", max_bytes, keep) for name in channels}
        self._held: deque[Written] = deque()
        self._alone = alone
        self._told: str | None = None

    @property
    def trouble(self) -> str | None:
        return next((file.trouble for file in self._files.values() if file.trouble), None)

    @property
    def held(self) -> int:
        return len(self._held)

    def write(self, line: Written) -> None:
        self._write_held()
        if self._held or not self._take(line):
            self._hold(line)
        self._tell()

    def idle(self) -> None:
        self._write_held()
        for file in self._files.values():
            if not file.trouble or not self._held:
                file.trouble = None
                file.look()
        self._tell()

    def stop(self) -> None:
        super().stop()
        for file in self._files.values():
            file.close()

    def _take(self, line: Written) -> bool:
        return not self._files[line.channel].write(line.text.encode("utf-8", "backslashreplace") + b"\n")

    def _write_held(self) -> None:
        while self._held and self._take(self._held[0]):
            self._held.popleft()

    def _hold(self, line: Written) -> None:
        self._held.append(line)
        if len(self._held) > HELD:
            self._held.popleft()
            self.lose(1)
        if self._alone:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"{line.text}\n")
                sys.stderr.flush()

    def _tell(self) -> None:
        """Say once that the files take no lines, and once that they do again; that line waits in the queue too."""
        now = self.trouble
        if (now is None) != (self._told is None):
            log = logging.getLogger(__name__)
            if now:
                log.error("log files not written: %s", now)
            else:
                log.warning("log files written again", extra={"lost": self.dropped})
            self._told = now
