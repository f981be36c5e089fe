"""`zena serve` from outside: a data directory, commands in it, and people who ask without pause."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

from tests.cli.run import Ran, command, variables, zena
from zena.kit.supervisor.wish import read_note

LIVE = "/api/v1/health/live"


@dataclass
class Site:
    """A data directory, and `zena serve` in it while it runs. `settings` are those of the server and of commands.

    It says in `lines` where it is and how the first person gets in: in one line where there are people.
    """

    folder: Path
    settings: dict[str, object] = field(default_factory=dict)
    lines: int = 2
    url: str = ""
    pid: int = 0
    said: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    @property
    def values(self) -> dict[str, object]:
        return {"ZENA_DATA_DIR": self.folder, **self.settings}

    def run(self, *arguments: str) -> Ran:
        return self.run_with({}, *arguments)

    def run_with(self, values: dict[str, object], *arguments: str) -> Ran:
        """Run a command with other settings; None takes one away."""
        wanted = {name: value for name, value in (self.values | values).items() if value is not None}
        return zena(*arguments, module="zena", **wanted)

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        found = variables(**self.values)
        return subprocess.Popen(command(*arguments, module="zena"), env=found, stdout=subprocess.DEVNULL)

    @contextmanager
    def serving(self, *options: str, **values: object) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            command("serve", *options, module="zena"),
            env=variables(**{"ZENA_PORT": 0, **self.values, **values}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        threading.Thread(target=self._listen, args=(process.stderr,), daemon=True).start()
        try:
            self.said = [process.stdout.readline().strip() for _ in range(self.lines)]
            self.url, self.pid = self.said[0].split()[-1], process.pid
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
            process.stdout.close()

    def _listen(self, stream: Iterable[str]) -> None:
        self.heard.extend(stream)

    def status(self, path: str) -> int:
        return httpx.get(self.url + path, headers={"accept": "text/html"}, timeout=20).status_code

    def crew(self) -> dict[str, int]:
        note = read_note(self.folder / "serve.json")
        assert note is not None
        return dict(note["crew"])


def until(look: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


class Crowd:
    """People who ask without pause, some on new connections, some on kept ones."""

    def __init__(self, url: str) -> None:
        self.url, self.wrong, self.served = url, list[str](), 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(kept,)) for kept in (True, True, False)]

    def _ask(self, kept: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if kept else 0)
        with httpx.Client(limits=limits, timeout=30) as client:
            while not self._over.is_set():
                time.sleep(0.01)
                try:
                    status = client.get(self.url + LIVE).status_code
                    self.served += status == 200
                    if status != 200:
                        self.wrong.append(str(status))
                except httpx.HTTPError as error:
                    self.wrong.append(repr(error))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
