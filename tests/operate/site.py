"""An installation from outside: a data directory, and `zena serve` in it while it runs."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.cli.run import Ran, command, variables, zena
from zena.kit.supervisor.wish import read_note


@dataclass
class Site:
    """A data directory, and `zena serve` in it while it runs. `settings` are those of the server and of commands."""

    folder: Path
    settings: dict[str, object] = field(default_factory=dict)
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
            self.said = [process.stdout.readline().strip() for _ in range(2)]
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
