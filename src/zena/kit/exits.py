"""Exit codes of every command; the supervisor and service managers read them too."""

from enum import IntEnum


class Exit(IntEnum):
    """What a process says with its exit status. 1 means a finding (a check that found something), never a crash."""

    OK = 0
    FINDING = 1
    USAGE = 64
    DATA = 65
    UNAVAILABLE = 69
    INTERNAL = 70
    IO = 74
    RETRY = 75
    PERMISSION = 77
    CONFIG = 78
    INTERRUPTED = 130
