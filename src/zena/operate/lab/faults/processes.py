"""Processes that die, freeze, or give way too seldom; logs that nobody takes."""

import asyncio
import os
import resource
import shutil
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from zena.kit.beside import beside
from zena.operate.lab.contract import EVERYDAY, HEARD, Fault, Mends
from zena.operate.lab.place import NotALab, Place

_OFTEN, _PATIENCE = 0.1, 20.0
#: Standard input, output and error are open: nothing else can be.
_NONE_LEFT: Final = 3
_CUT: Final = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'zena-web'"
_LISTENED: Final = """
SELECT count(*) FROM ops.heartbeat WHERE pid = ANY ($1) AND (facts -> 'live' ->> 'tenants')::int > 0
"""
_SLOW: Final = frozenset({"A1", "D1"})


def _send(pids: Iterable[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


async def _go_on(place: Place) -> None:
    _send(place.pids("web"), signal.SIGCONT)


@asynccontextmanager
async def _frozen(place: Place) -> AsyncIterator[None]:
    _send(place.pids("web"), signal.SIGSTOP)
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
            pids = place.pids("web")
            if pids and await place.value(seen, pids) == len(pids):
                _send(pids, signal.SIGKILL)
            await asyncio.sleep(0.2)

    async with beside(kill()):
        yield


def _takers(place: Place) -> list[int]:
    found = place.pids("websocket")
    if not found:
        raise NotALab("no process takes sockets alone: ZENA_WEBSOCKET_PROCESSES")
    return found


async def _take_up(place: Place) -> None:
    _send(place.pids("websocket"), signal.SIGCONT)


@asynccontextmanager
async def _none_takes_sockets(place: Place) -> AsyncIterator[None]:
    """Whoever takes sockets dies, and no successor comes so far that it would."""
    _send(_takers(place), signal.SIGKILL)

    async def hold() -> None:
        while True:
            _send(place.pids("websocket"), signal.SIGSTOP)
            await asyncio.sleep(_OFTEN)

    try:
        async with beside(hold()):
            yield
    finally:
        await _take_up(place)


@asynccontextmanager
async def _choked(place: Place) -> AsyncIterator[None]:
    """Whoever takes sockets has no file descriptor left, and its sessions are cut: it is woken, and cannot dial."""
    pids = _takers(place)
    await _listened_to(place, pids)
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (_NONE_LEFT, hard))
    await place.value(_CUT)
    try:
        yield
    finally:
        for pid, limits in before.items():
            with suppress(ProcessLookupError):  # replaced
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


async def _listened_to(place: Place, pids: list[int]) -> None:
    for _ in range(int(_PATIENCE / _OFTEN)):
        if await place.value(_LISTENED, pids):
            return
        await asyncio.sleep(_OFTEN)
    raise NotALab("nobody listens")


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


@asynccontextmanager
async def _emptied(place: Place) -> AsyncIterator[None]:
    """Something empties the file again and again, as `copytruncate` does with what was written meanwhile."""

    async def empty() -> None:
        while True:
            with suppress(FileNotFoundError):
                os.truncate(_logs(place) / "app.log", 0)
            await asyncio.sleep(_OFTEN)

    async with beside(empty()):
        yield


def _logs(place: Place) -> Path:
    return place.data_dir / "logs"


FAULTS: Final = (
    Fault("web-frozen", "every web process stands still", "X1", "not_running", also=_SLOW, heal=_go_on, broken=_frozen,
          mends=Mends.UNASKED),
    Fault("web-dying", "web processes die again and again", "X1", "crash_loop", also=_SLOW, broken=_dying),
    Fault("sockets-gone", "whoever takes sockets died, and nobody takes its place", "W1", "process_down",
          also=frozenset({"X1"}), heal=_take_up, broken=_none_takes_sockets),
    Fault("descriptors-gone", "whoever takes sockets has no file descriptor left", "W2", "stuck_reader",
          (*EVERYDAY, HEARD), broken=_choked),
    Fault("log-folder-lost", "the disk of the logs is not mounted", "E1", "folder_gone", heal=_put_back,
          broken=_folder_lost),
    Fault("log-folder-taken", "something else lies where the logs were", "E1", "files",
          heal=_put_back, broken=_folder_gone),
    Fault("log-emptied", "something empties the log", "E1", "emptied", broken=_emptied),
)  # fmt: skip
