"""The tie between a supervised process and its supervisor. Standard library only."""

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_POLL = 1.0


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
    """Tell the supervisor that this process takes work."""
    if descriptor is None:
        return
    try:
        os.write(descriptor, b"\n")
        os.close(descriptor)
    except OSError:
        return  # the supervisor went away; die_with_parent deals with that


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL)
    os.kill(os.getpid(), signal.SIGTERM)
