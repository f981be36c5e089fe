"""The server's configuration, written anew at each start. What an operator changes by ALTER SYSTEM wins over it."""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

_COMMON = """\
# Written by zena at each start; use ALTER SYSTEM for changes of your own.
listen_addresses = ''
port = 5432
max_connections = 60
superuser_reserved_connections = 3
reserved_connections = 3
shared_buffers = 64MB
effective_cache_size = 512MB
work_mem = 8MB
maintenance_work_mem = 64MB
autovacuum_max_workers = 2
max_worker_processes = 4
max_parallel_workers = 2
max_parallel_workers_per_gather = 1
huge_pages = off
jit = off
random_page_cost = 1.1
wal_level = replica
max_wal_size = 1GB
min_wal_size = 80MB
wal_compression = on
max_wal_senders = 4
archive_timeout = 30s
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
default_text_search_config = 'pg_catalog.simple'
track_io_timing = on
compute_query_id = on
logging_collector = on
log_filename = 'postgres-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_file_mode = 0600
log_line_prefix = '%m [%p] %q%u@%d %a '
log_lock_waits = on
log_min_duration_statement = 1000
# No tenant's data in the log: no bound values, no DETAIL lines.
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
"""
_FROM_18 = "io_method = sync\n"
_WITH_IO_METHOD = 18
#: After a crash the server makes sure that all it has is on disk: file by file, which takes seconds, or by one call.
_SYNC_AT_ONCE = "recovery_init_sync_method = syncfs\n"
#: Since when Linux tells of write errors in that call.
_SYNC_IS_HONEST = (5, 8)
_HBA = """\
# type  database  user  address       method
local   all       all                 scram-sha-256
host    all       all   127.0.0.1/32  scram-sha-256
host    all       all   ::1/128       scram-sha-256
# zena_backup takes base backups; the role is the only one of ours that may.
local   replication  zena_backup  scram-sha-256
"""


#: Server settings that make it hand every finished piece of its log to the directory `wal` beside the cluster.
ARCHIVING = {"archive_mode": "on"}


def write(directory: Path, *, major: int, logs: Path, wal: Path, options: Mapping[str, str]) -> None:
    """Write postgresql.conf and pg_hba.conf, readable by the server's user, writable by ours only."""
    lines = _COMMON + f"log_directory = {_quoted(logs)}\nhba_file = {_quoted(directory / 'pg_hba.conf')}\n"
    lines += _FROM_18 if major >= _WITH_IO_METHOD else ""
    lines += f"archive_command = {_quoted(_archive_command(wal))}\n"
    lines += _SYNC_AT_ONCE if _syncs_at_once(sys.platform, os.uname().release) else ""
    lines += "".join(f"{name} = {_quoted(value)}\n" for name, value in options.items())
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    for name, text in (("postgresql.conf", lines), ("pg_hba.conf", _HBA)):
        path = directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)


def _archive_command(wal: Path) -> str:
    """Return the command that lays one file into `wal`, whole or not at all; once more is no error."""
    there, draft = (shlex.quote(str(wal / name).replace("%", "%%")).replace("%%f", "%f") for name in ("%f", ".%f"))
    return f"cmp -s %p {there} || (cp %p {draft} && sync {draft} && mv {draft} {there})"


def _syncs_at_once(platform: str, release: str) -> bool:
    version = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    return platform == "linux" and version >= _SYNC_IS_HONEST


def _quoted(value: Path | str) -> str:
    return "'" + str(value).replace("'", "''") + "'"
