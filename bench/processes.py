"""The processes of a measurement: the database, the application, the floor. Each listens on loopback only."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select

import msgspec

from bench.load import Job, Measured
from zena.kit.embedded import ClusterUrls
from zena.kit.serving.listen import bind, port_of
from zena.settings import without_settings

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
_START = 60.0
_STOP = 30.0
#: Nobody is turned away while we measure how fast everybody is served.
_NO_LIMITS = {f"ZENA_RATE_{who}": "1000000" for who in ("USER", "TENANT", "ANONYMOUS")}


def migrate(urls: ClusterUrls, folder: Path) -> None:
    """Bring the database to this release's schema, as an operator does."""
    settings = {**urls.environment(), "ZENA_DATA_DIR": str(folder)}
    subprocess.run([sys.executable, "-m", "zena", "migrate"], check=True, cwd=ROOT, env=_environment(settings))


@dataclass(frozen=True)
class Application:
    """A web process: where it listens, and who it is."""

    port: int
    pid: int


@contextmanager
def application(urls: ClusterUrls, folder: Path, program: str = "zena") -> Iterator[Application]:
    """Run one web process as an installation does."""
    listener = bind(HOST, 0)
    settings = {
        **_NO_LIMITS,
        "ZENA_DATABASE_URL": urls.app,
        "ZENA_DATABASE_OPS_READ_URL": urls.ops_read,
        "ZENA_DATA_DIR": str(folder),
        "ZENA_PORT": str(port_of(listener)),
        "ZENA_PUBLIC_URL": f"http://{HOST}:{port_of(listener)}",
        "ZENA_LOG_LEVEL": "warning",
    }
    with _served([program, "web"], settings, listener.detach()) as process:
        yield Application(int(settings["ZENA_PORT"]), process.pid)


@contextmanager
def floor(urls: ClusterUrls) -> Iterator[int]:
    """Run the floor; yield its port."""
    listener = bind(HOST, 0)
    port = port_of(listener)
    with _served(["bench.floor.app"], {"ZENA_DATABASE_URL": urls.app}, listener.detach()):
        yield port


@contextmanager
def trivial(size: int) -> Iterator[int]:
    """Run the responder that does nothing but answer; yield its port."""
    listener = bind(HOST, 0)
    port = port_of(listener)
    with _served(["bench.floor.trivial", str(size)], {}, listener.detach()):
        yield port


def fire(job: Job) -> list[Measured]:
    """Run the load client in a process of its own and return what it saw: one figure, or two (Job.switched)."""
    command = [sys.executable, "-m", "bench.load"]
    patience = job.warm + job.seconds + 60
    done = subprocess.run(  # noqa: S603 - our own program
        command, input=msgspec.json.encode(job), capture_output=True, check=False, cwd=ROOT, timeout=patience
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode()[-2000:])
    return msgspec.json.decode(done.stdout, type=list[Measured])


@contextmanager
def _served(program: Sequence[str], settings: dict[str, str], listener: int) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a program that takes `--fd` and `--ready-fd` until the block ends."""
    read, write = os.pipe()
    command = [sys.executable, "-m", *program, "--fd", str(listener), "--ready-fd", str(write)]
    process = subprocess.Popen(  # noqa: S603 - our own programs
        command, cwd=ROOT, env=_environment(settings), pass_fds=(listener, write)
    )
    os.close(write)
    os.close(listener)
    try:
        if not select([read], [], [], _START)[0] or not os.read(read, 1):
            raise RuntimeError(f"{' '.join(program)} did not start")
        yield process
    finally:
        os.close(read)
        process.terminate()
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(settings: dict[str, str]) -> dict[str, str]:
    """Return our environment with these settings and no others."""
    return without_settings(os.environ) | settings
