"""Become another user, tie our life to the parent's, then become the program: `shim.py UID GID PARENT PROGRAM ARGS...`.

Run as a script under `python -I -S`. Done here rather than between fork and exec in the parent, where a thread holding
a lock could leave the child stuck. UID `-` keeps the user.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    uid, gid, parent, *command = sys.argv[1:]
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    os.umask(0o077)
    if sys.platform == "linux":
        # After setuid, which would clear it. SIGINT is PostgreSQL's fast shutdown.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != int(parent):
            sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


main()
