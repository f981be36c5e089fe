"""Processes that die, freeze, or give way too seldom; logs that nobody takes."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from zena.kit.beside import beside
from zena.operate.lab.contract import Fault
from zena.operate.lab.place import Place

_SLOW: Final = frozenset({"A1", "D1"})


def _send(pids: Iterable[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


async def _go_on(place: Place) -> None:
    _send(place.webs(), signal.SIGCONT)


@asynccontextmanager
async def _frozen(place: Place) -> AsyncIterator[None]:
    _send(place.webs(), signal.SIGSTOP)
    try:
        yield
    finally:
        await _go_on(place)


@asynccontextmanager
async def _dying(place: Place) -> AsyncIterator[None]:
    """Each web process that has begun to serve is killed."""
    seen = "SELECT count(*) FROM ops.heartbeat WHERE role = 'web' AND pid = ANY ($1)"

    async def kill() -> None:
        while True:
            pids = place.webs()
            if pids and await place.value(seen, pids) == len(pids):
                _send(pids, signal.SIGKILL)
            await asyncio.sleep(0.2)

    async with beside(kill()):
        yield


async def _put_back(place: Place) -> None:
    """Give the folder of logs its place again."""
    logs = _logs(place)
    away = logs.with_name("logs.away")
    if away.exists():
        if logs.is_dir() and not logs.is_symlink():  # a remedy made it
            shutil.rmtree(logs)
        logs.unlink(missing_ok=True)
        away.rename(logs)
    for aside in logs.parent.glob("logs.aside-*"):
        aside.unlink()


@asynccontextmanager
async def _folder_lost(place: Place) -> AsyncIterator[None]:
    """The folder of logs lies on a disk that is not mounted."""
    logs = _logs(place)
    logs.rename(logs.with_name("logs.away"))
    logs.symlink_to(logs.with_name("not-mounted") / "logs")
    try:
        yield
    finally:
        await _put_back(place)


@asynccontextmanager
async def _folder_gone(place: Place) -> AsyncIterator[None]:
    """Something else lies where the folder of logs was."""
    logs = _logs(place)
    logs.rename(logs.with_name("logs.away"))
    logs.touch()
    try:
        yield
    finally:
        await _put_back(place)


def _logs(place: Place) -> Path:
    return place.data_dir / "logs"


FAULTS: Final = (
    Fault("web-frozen", "every web process stands still", "X1", "not_running", also=_SLOW, heal=_go_on, broken=_frozen),
    Fault("web-dying", "web processes die again and again", "X1", "crash_loop", also=_SLOW, broken=_dying),
    Fault("log-folder-lost", "the disk of the logs is not mounted", "E1", "folder_gone", heal=_put_back,
          broken=_folder_lost),
    Fault("log-folder-taken", "something else lies where the logs were", "E1", "files",
          heal=_put_back, broken=_folder_gone),
)  # fmt: skip
