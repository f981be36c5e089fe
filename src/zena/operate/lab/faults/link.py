"""The way to the database: our own proxy is put between, at the very socket that everybody dials."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from zena.kit.embedded.running import read_state
from zena.operate.lab.contract import Fault
from zena.operate.lab.link import Link
from zena.operate.lab.place import NotALab, Place

#: Each way, seconds.
_LATENCY: Final = 0.055
#: Sessions of those who work: they dial again, and find the proxy. Whoever watches keeps its own way.
_WORKERS: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'zena_app' AND pid <> pg_backend_pid()
"""


def _socket(place: Place) -> tuple[Path, Path]:
    """Return where the server's socket belongs, and where it lies while the proxy is in its place."""
    state = read_state(place.data_dir)
    if state is None:
        raise NotALab(f"no embedded database runs in {place.data_dir}")
    return state.socket_file, state.socket_file.with_name("direct")


async def _put_back(place: Place) -> None:
    there, away = _socket(place)
    if away.is_socket():
        there.unlink(missing_ok=True)
        away.rename(there)
        await place.value(_WORKERS)


@asynccontextmanager
async def _slow(place: Place) -> AsyncIterator[None]:
    there, away = _socket(place)
    there.rename(away)
    try:
        async with Link(away, latency=_LATENCY).listening(there):
            await place.value(_WORKERS)
            yield
    finally:
        await _put_back(place)


FAULTS: Final = (
    Fault("dashboard-far", "dashboards wait for a database that is far", "D1", "database_link",
          also=frozenset({"A1", "B1", "B2", "Q1", "Q2", "W2"}), heal=_put_back, broken=_slow),
    Fault("database-far", "the way to the database has become long", "A1", "database_link",
          also=frozenset({"B1", "B2", "D1", "Q1", "Q2", "W2"}), heal=_put_back, broken=_slow),
)  # fmt: skip
