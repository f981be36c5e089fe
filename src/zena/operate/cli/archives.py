"""What the commands of `zena backup` share: reaching the database, naming an archive, telling about one."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zena.cli import CommandError, settings
from zena.cli.shell import require
from zena.kit.clock import SystemClock
from zena.settings import Role

if TYPE_CHECKING:
    from zena.operate.backup.archive import Manifest
    from zena.settings import Settings

T = TypeVar("T")


def with_database(work: "Callable[[Settings], Coroutine[Any, Any, T]]", *roles: Role) -> T:
    """Run a coroutine function with the database's settings; it is started for the duration if none runs."""
    from zena.kit.embedded.attach import attached
    from zena.operate.backup.refusal import Refused

    with attached(settings()) as found:
        require(found, *roles)
        try:
            return asyncio.run(work(found))
        except Refused as refused:
            raise CommandError(str(refused), refused.code) from refused


def chosen(archive: str) -> Path:
    from zena.operate.backup.refusal import Refused
    from zena.operate.backup.shelf import chosen as named

    try:
        return named(settings().backups_path, archive).absolute()
    except Refused as refused:
        raise CommandError(str(refused), refused.code) from refused


def row_of(found: "Settings", path: Path, at: datetime | None, length: int) -> dict[str, Any]:
    """Return what is known of an archive without restoring it; `note` says why that is nothing."""
    from zena.operate.backup.archive import manifest_of
    from zena.operate.backup.refusal import Refused
    from zena.settings import SettingsError, load_backup_keys

    known: dict[str, Any] = {"archive": path.name, "size": sized(length), "note": None}
    known["age"] = aged((SystemClock().now() - at).total_seconds()) if at else None
    try:
        return known | facts_of(manifest_of(path, load_backup_keys(found, make=False)))
    except (Refused, SettingsError) as refused:
        return known | {"note": str(refused)}


def replace_processes(found: "Settings") -> bool:
    """Have a running `zena serve` replace its processes: what they hold in memory is of the former database."""
    from zena.kit.supervisor.leftovers import supervisor

    pids = [supervisor(found.data_dir / name) for name in ("serve.json", "workers.json")]
    for pid in filter(None, pids):
        os.kill(pid, signal.SIGUSR1)
    return any(pids)


def facts_of(manifest: "Manifest") -> dict[str, Any]:
    names = (
        ("created", "release", "revision", "rows", "files") if manifest.tables else ("created", "release", "revision")
    )
    return {name: getattr(manifest, name) for name in names}


def summary_of(manifest: "Manifest") -> str:
    return f"{manifest.rows} rows in {len(manifest.tables)} tables, {manifest.files} files"


def sized(length: int) -> str:
    return f"{length / 1e6:.1f} MB"


def aged(seconds: float) -> str:
    minutes = int(seconds) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
