"""Logging into files of a test, as a process of the installation does it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zena.kit.logs import setup_logging
from zena.kit.logs.channels import CHANNELS
from zena.kit.logs.errors import ERRORS
from zena.kit.logs.sinks import Files


@contextmanager
def logging_to(folder: Path, *, max_bytes: int = 10**6, alone: bool = False, **levels: str) -> Iterator[Files]:
    """Log into the folder at `info`, or each channel as `levels` say; all is written when the block ends."""
    channels = dict.fromkeys(CHANNELS, "info") | levels
    files = Files(folder, channels, max_bytes=max_bytes, keep=100, alone=alone)
    ERRORS.take()
    stop = setup_logging(channels=channels, sinks=[files])
    try:
        yield files
    finally:
        stop()
        ERRORS.take()


def lines(folder: Path, channel: str) -> list[dict[str, Any]]:
    """Return what stands in a channel's file, which is made with its first line."""
    path = folder / f"{channel}.log"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def until(look: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
