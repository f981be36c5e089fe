"""A process for the supervisor's tests: says when it is ready, writes down what happens to it. Standard library only.

crew_member.py BOOK MODE --parent PID --ready-fd FD --go-fd FD
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from zena.kit.serving.lifeline import die_with_parent, tell_ready, wait_for_go


def main() -> None:
    book, mode, *rest = sys.argv[1:]
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    die_with_parent(int(options["--parent"]))
    note(book, f"start {os.getpid()}")
    if mode.startswith("exit"):
        sys.exit(int(mode.removeprefix("exit")))
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else lambda *_: leave(book))
    if mode == "environment":
        urls = sorted(name for name in os.environ if name.startswith("ZENA_DATABASE"))
        note(book, "has " + ",".join(urls))
    if mode == "slow" and Path(book).read_text().count("start") > 1:
        time.sleep(60)  # a successor that takes its time
    if "ZENA_TRY" in os.environ:
        note(book, f"given {os.environ['ZENA_TRY']} {os.environ['ZENA_CONFIG_FILE']!r}")
    if mode == "fussy" and os.environ["ZENA_TRY"] == "two":
        sys.exit(69)
    wait_for_go(int(options["--go-fd"]))
    note(book, f"ready {os.getpid()}")
    if mode == "alive":
        asyncio.run(live(int(options["--ready-fd"])))
    tell_ready(int(options["--ready-fd"]))
    while True:
        time.sleep(60)


async def live(descriptor: int) -> None:
    tell_ready(descriptor)
    await asyncio.sleep(3600)


def leave(book: str) -> None:
    note(book, f"drained {os.getpid()}")
    sys.exit(0)


def note(book: str, line: str) -> None:
    with Path(book).open("a") as stream:
        stream.write(line + "\n")


main()
