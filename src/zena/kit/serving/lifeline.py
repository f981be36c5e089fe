"""The tie between a supervised process and its supervisor. Standard library only."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_POLL = 1.0
#: Seconds between two signs of life.
BEAT = 1.0


def die_with_parent(parent: int) -> None:
    """Receive SIGTERM when the supervisor is gone, however it went; exit at once if it is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        sys.exit(0)


def wait_for_go(descriptor: int | None) -> None:
    """Wait until the supervisor opens the gate, that is, until the pipe ends."""
    if descriptor is not None:
        os.read(descriptor, 1)
        os.close(descriptor)


def tell_ready(descriptor: int | None) -> None:
    """Tell the supervisor that this process takes work, and from a running loop, each second, that it still turns."""
    if descriptor is None:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _tell(descriptor, b"\n")
        os.close(descriptor)
        return
    os.set_blocking(descriptor, False)
    _tell(descriptor, b"\n")
    _beat(loop, descriptor)


def _beat(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    _tell(descriptor, b".")
    loop.call_later(BEAT, _beat, loop, descriptor)


def _tell(descriptor: int, sign: bytes) -> None:
    # Full: the supervisor is stopped, and what it has not read says enough. Broken: it went away, see die_with_parent.
    with suppress(OSError):
        os.write(descriptor, sign)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL)
    os.kill(os.getpid(), signal.SIGTERM)
