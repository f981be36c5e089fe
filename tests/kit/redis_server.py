"""A Redis or Valkey of its own for a test."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


class RedisServer:
    """A server of its own; what it is called on the command line decides what Debian's one binary does."""

    def __init__(self, folder: Path) -> None:
        found = (shutil.which(name) for name in ("redis-server", "valkey-server", "redis-check-rdb"))
        self.binary = next((path for path in found if path), None)
        if self.binary is None:
            pytest.skip("LOUD SKIP: no Redis or Valkey is installed")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "dir": folder}
        self.command = ["redis-server", *(str(part) for name in options for part in (f"--{name}", options[name]))]

    def __enter__(self) -> str:
        self.process = subprocess.Popen(self.command, executable=self.binary, stdout=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.05)
        return f"redis://127.0.0.1:{self.port}/0"

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
