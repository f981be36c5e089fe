"""Command lines that start at once: each is forked from a process that has imported everything before.

What a command imports takes most of the second that it runs. Forked, it is a process of its own all the same, with its
own environment, folder, outputs and end.
"""

import array
import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from zena import operate

_PIECE = 65_536


def ran(module: str, arguments: Sequence[str], env: Mapping[str, str], seconds: float) -> tuple[int, bytes, bytes]:
    """Run `python -m module arguments` in the root folder; return its exit code and its two outputs.

    Raises TimeoutError when it does not end in time; it is killed then.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, socket.socket(socket.AF_UNIX) as line:
        line.settimeout(seconds)
        line.connect(_server())
        wish = json.dumps({"module": module, "arguments": list(arguments), "env": dict(env)}).encode() + b"\n"
        streams = array.array("i", [out.fileno(), err.fileno()])
        sent = line.sendmsg([wish], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        line.sendall(wish[sent:])
        with line.makefile() as answers:
            pid = int(answers.readline())
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


@cache
def _server() -> str:
    """Start the process that is forked, once for this one, and return where it listens. It ends when this one does."""
    folder = tempfile.TemporaryDirectory(prefix="zf-")
    place = str(Path(folder.name) / "forks")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.forks", place], stdin=subprocess.PIPE, env=env, cwd="/"
    )

    def end() -> None:
        process.communicate()
        folder.cleanup()

    atexit.register(end)
    while not Path(place).exists():
        assert process.poll() is None, "nothing can be forked"
        time.sleep(0.05)
    return place


def _serve(place: str) -> dict[str, Any]:
    """Fork for each who asks, until nobody holds our standard input. Returns in the fork alone: what it is to run."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as ready:
        listener.bind(f"{place}.new")
        listener.listen()
        Path(f"{place}.new").rename(place)
        for stream in (listener, 0):
            ready.register(stream, selectors.EVENT_READ)
        while all(key.fd != 0 for key, _ in ready.select()):
            line, _ = listener.accept()
            with line:
                if os.fork() == 0:
                    return _asked(line)
    os._exit(0)


def _asked(line: socket.socket) -> dict[str, Any]:
    """Hear what is wanted. The fork of this process becomes it and returns; this one tells how that ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, streams, _, _ = socket.recv_fds(line, _PIECE, 2)
    while not text.endswith(b"\n"):
        text += line.recv(_PIECE)
    pid = os.fork()
    if pid:
        line.sendall(f"{pid}\n".encode())
        line.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
        os._exit(0)
    wish: dict[str, Any] = json.loads(text)
    for number, stream in enumerate([os.open(os.devnull, os.O_RDONLY), *streams]):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(wish["env"])
    time.tzset()
    return wish


def _run(wish: Mapping[str, Any]) -> NoReturn:
    """Run a module as Python does, and end as Python does but for taking apart what was imported: that takes long."""
    sys.argv = ["", *wish["arguments"]]
    code: Any = None
    try:
        runpy.run_module(wish["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - whatever it is, it is told, and the process ends
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    importlib.import_module("zena.main")
    for found in pkgutil.walk_packages(operate.__path__, "zena.operate."):
        importlib.import_module(found.name)
    gc.freeze()  # what is not looked through stays shared
    _run(_serve(sys.argv[1]))
