"""The list of firms that were erased: it outlives the database, so that an older backup does not bring them back.

`erased.list` lies beside the backups: a line for each erasure, the firm's id and when, no name.
"""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from zena.kit.durable import sync_folder
from zena.operate.backup.refusal import Refused
from zena.settings import Settings

NAME: Final = "erased.list"


def note(settings: Settings, tenant: UUID, at: datetime) -> None:
    """Write down, durably, that a firm is erased from now on: before the first row goes."""
    folder = settings.backups_path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # until it is closed
        there = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        # A line that a crash has cut off is of an erasure that had not begun, and is noted again.
        os.ftruncate(descriptor, there.rfind(b"\n") + 1)
        os.write(descriptor, f"{tenant} {at.astimezone(UTC).isoformat()}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(folder)


def noted(settings: Settings) -> dict[UUID, datetime]:
    """Return when each firm was erased last. Refused for a list that cannot be read: it must not be passed over."""
    path = settings.backups_path / NAME
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return dict(sorted((_read(path, number, line) for number, line in enumerate(lines[:-1], 1) if line), key=_when))


def _read(path: Path, number: int, line: str) -> tuple[UUID, datetime]:
    tenant, _, at = line.strip().partition(" ")
    try:
        return UUID(tenant), datetime.fromisoformat(at).astimezone(UTC)
    except ValueError:
        raise Refused(
            f"line {number} of {path} is no erasure: mend or remove it, for firms in it must not come back"
        ) from None


def _when(entry: tuple[UUID, datetime]) -> datetime:
    return entry[1]
