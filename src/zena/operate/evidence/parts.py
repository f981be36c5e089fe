"""The parts of the evidence, each read on its own: what fails is named and leaves the others as they are."""

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from importlib.metadata import distributions
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import asyncpg
import msgspec

from zena import __version__
from zena.kit.db import Raw
from zena.kit.errors import Invalid
from zena.kit.http import FetchFailed, HttpPolicy, SafeHttp
from zena.kit.supervisor.wish import read_note
from zena.operate import changes
from zena.operate.database.activity import sessions
from zena.operate.incidents.listing import whole
from zena.operate.integrity import store
from zena.operate.metrics.report import report
from zena.operate.metrics.requests import slowest
from zena.operate.queue.standing import schedules, workers
from zena.settings.load import described

if TYPE_CHECKING:
    from zena.settings import Settings

#: A part of the database that takes longer is left out, seconds.
PATIENCE: Final = 10.0
_WINDOW: Final = timedelta(hours=1)
_CHANGES: Final = timedelta(days=7)
_TAIL: Final = 200_000
#: Rings and logs taken, the newest first.
_FILES: Final = 24
#: This machine, and what a server may listen on to be reached by that name.
_HERE: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_ANYWHERE: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound
#: What a read of the database, a file or the network may end with.
_FAILURES: Final = (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, LookupError)

_LOCKS: Final = """
SELECT l.pid, l.locktype, l.mode, l.granted, l.relation::regclass::text AS relation, l.waitstart,
       a.usename, a.application_name, pg_blocking_pids(l.pid) AS blocked_by
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.pid <> pg_backend_pid() ORDER BY l.granted, l.pid, l.locktype, l.mode LIMIT 1000
"""
_TABLES: Final = """
SELECT schemaname || '.' || relname AS table, pg_total_relation_size(relid) AS bytes, n_live_tup, n_dead_tup, seq_scan,
       idx_scan, last_autovacuum, last_autoanalyze FROM pg_stat_user_tables ORDER BY 2 DESC, 1 LIMIT 200
"""
_SERVER: Final = """
SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS bytes,
       (SELECT version_num FROM public.alembic_version) AS revision, pg_postmaster_start_time() AS started,
       (SELECT jsonb_object_agg(name, setting) FROM pg_settings
         WHERE source NOT IN ('default', 'client') AND name !~ 'password|passphrase|command') AS settings
"""


async def _rows(conn: Raw, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await conn.fetch(sql)]


#: By file name in the archive. Statements come without their values, requests and changes with ids only.
_DATABASE: Final[Mapping[str, Callable[[Raw, datetime], Awaitable[Any]]]] = {
    "metrics": lambda conn, now: report(conn, now, _WINDOW),
    "server": lambda conn, _: _rows(conn, _SERVER),
    "activity": lambda conn, _: sessions(conn, everything=True),
    "locks": lambda conn, _: _rows(conn, _LOCKS),
    "tables": lambda conn, _: _rows(conn, _TABLES),
    "changes": lambda conn, now: changes.listed(conn, now - _CHANGES),
    "incidents": lambda conn, now: whole(conn, since=now - _CHANGES),
    "requests": lambda conn, now: slowest(conn, now - timedelta(days=1), limit=100),
    "workers": lambda conn, _: workers(conn),
    "schedules": schedules,
    "integrity": lambda conn, _: store.last(conn),
}


async def from_database(conn: Raw, now: datetime) -> AsyncIterator[tuple[str, Any, str | None]]:
    """Yield name, data and, where it could not be read, why."""
    for name, read in _DATABASE.items():
        try:
            async with asyncio.timeout(PATIENCE):
                data, why = await read(conn, now), None
        except _FAILURES as error:
            data, why = None, str(error) or type(error).__name__
        yield name, data, why


def names_of_database_parts() -> list[str]:
    return list(_DATABASE)


def of_this_machine(settings: "Settings", now: datetime) -> Iterator[tuple[str, Any]]:
    """Yield what needs no database: versions, settings with secrets masked, processes, room on the disks."""
    packages = sorted({f"{one.metadata['Name']} {one.version}" for one in distributions()})
    machine = {"machine": platform.platform(), "processors": os.cpu_count()}
    yield "versions", {"at": now, "zena": __version__, "python": sys.version, **machine, "packages": packages}
    yield "settings", described(settings)
    notes = {name: read_note(settings.data_dir / name) for name in ("serve.json", "workers.json")}
    yield "processes", notes
    yield "disks", {name: _room(path) for name, path in _folders(settings).items()}


async def health(settings: "Settings") -> Any:
    """Ask the server that runs here for its health, as a caller of this machine. OSError where none answers."""
    note = read_note(settings.data_dir / "serve.json")
    port = (urlsplit(str(note["url"])).port if note and note.get("url") else None) or settings.port
    host = "localhost" if settings.host in _ANYWHERE else settings.host
    networks = _HERE if host == "localhost" else (ip_network(host),)
    http = SafeHttp(HttpPolicy(ports=frozenset({port}), allowed_networks=networks, seconds=PATIENCE))
    try:
        reply = await http.send("GET", f"http://{f'[{host}]' if ':' in host else host}:{port}/api/v1/health")
    except (FetchFailed, Invalid) as error:
        raise OSError(str(error)) from error
    return {"answer": reply.status, "health": msgspec.json.decode(reply.body)}


def files(settings: "Settings") -> Iterator[tuple[str, str]]:
    """Yield the ends of the rings and of our own log files, the newest first.

    The database's own log stays here: it quotes what people typed.
    """
    for folder, pattern in ((settings.data_dir / "telemetry", "*.jsonl"), (settings.logs_path, "*.log*")):
        newest = sorted(folder.glob(pattern), key=lambda path: (-path.stat().st_mtime, path.name))
        for path in newest[:_FILES]:
            yield f"{folder.name}/{path.name}", _end_of(path)


def _end_of(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        text = stream.read(_TAIL).decode(errors="replace")
    return text if path.stat().st_size <= _TAIL else text.partition("\n")[2]


def _folders(settings: "Settings") -> dict[str, Path]:
    return {"data": settings.data_dir, "files": settings.files_path, "backups": settings.backups_path}


def _room(path: Path) -> dict[str, Any]:
    try:
        usage = shutil.disk_usage(path)
        nodes = os.statvfs(path)
    except OSError as error:
        return {"path": str(path), "missing": error.strerror}
    return {"path": str(path), "bytes": usage.total, "free": usage.free, "inodes_free": nodes.f_favail}
