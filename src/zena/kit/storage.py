"""Files of users: stored under names we make, written so that a crash leaves all of a file or none of it.

What the client called a file is data for the database, never a part of a path.
"""

import asyncio
import errno
import hashlib
import os
import re
import time
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from uuid import UUID

from zena.kit.durable import sync_folder
from zena.kit.errors import NotFound, StorageFull, TooLarge
from zena.kit.ids import new_id

CHUNK: Final = 256 * 1024
HEAD: Final = 4096
_KEY: Final = re.compile(r"[0-9a-f]{32}/[0-9a-f]{2}/[0-9a-f]{32}")
_TEMP: Final = "incoming"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class Damaged(Exception):  # noqa: N818 - a fact about a file
    """The bytes on disk are not those that were stored; nobody may be shown them as such (F-17)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is on disk for good. `head` holds its first bytes, for telling its type."""

    key: str
    size: int
    sha256: str
    head: bytes = field(repr=False)


class Storage(Protocol):
    """Where files lie. Keys come from `put` and mean nothing else."""

    async def put(self, stream: AsyncIterable[bytes], *, tenant: UUID, limit: int) -> Stored: ...

    def read(self, key: str, *, sha256: str | None = None) -> AsyncIterator[bytes]: ...

    async def delete(self, key: str) -> None: ...

    async def sweep(self, older_than: float) -> int: ...


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """Files in a directory of this machine, readable by our user only."""

    root: Path

    async def put(self, stream: AsyncIterable[bytes], *, tenant: UUID, limit: int) -> Stored:
        """Store a stream: temporary file, fsync, rename, fsync of the directory. Nothing is left when it fails.

        Raises TooLarge past `limit` bytes, counted as they come, and StorageFull when the disk has no room.
        """
        name = new_id().hex
        key = f"{tenant.hex}/{name[-2:]}/{name}"
        temporary = self.root / _TEMP / name
        try:
            file = await asyncio.to_thread(_create, temporary)
            try:
                stored = await _fill(file, stream, key, limit)
            finally:
                await asyncio.to_thread(file.close)
            await asyncio.to_thread(_settle, temporary, self.root / key)
        except BaseException as error:
            # Cancellation must not leave debris either, so this does not await.
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise StorageFull from error
            raise
        return stored

    async def read(self, key: str, *, sha256: str | None = None) -> AsyncIterator[bytes]:
        """Yield a file's bytes. Given the stored digest, a changed file raises Damaged before its last bytes."""
        file = await asyncio.to_thread(_open, self._path(key))
        try:
            digest, held = hashlib.sha256(), b""
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                if held:
                    yield held
                digest.update(chunk)
                held = chunk
            if sha256 is not None and digest.hexdigest() != sha256:
                raise Damaged(key)
            if held:
                yield held
        finally:
            file.close()

    async def delete(self, key: str) -> None:
        """Remove a file; one that is gone already is fine."""
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    async def sweep(self, older_than: float) -> int:
        """Remove uploads that never finished and were last written `older_than` seconds ago; return how many."""
        return await asyncio.to_thread(_sweep, self.root / _TEMP, time.time() - older_than)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise NotFound.of("file")
        return self.root / key


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return os.fdopen(descriptor, "wb")


async def _fill(file: BinaryIO, stream: AsyncIterable[bytes], key: str, limit: int) -> Stored:
    digest, size, head = hashlib.sha256(), 0, b""
    async for chunk in stream:
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"At most {limit} bytes.", details={"limit": limit})
        if len(head) < HEAD:
            head += chunk[: HEAD - len(head)]
        digest.update(chunk)
        await asyncio.to_thread(file.write, chunk)
    await asyncio.to_thread(_flush, file)
    return Stored(key, size, digest.hexdigest(), head)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle(temporary: Path, final: Path) -> None:
    """Give a complete file its name, durably: the directories that lead to it are synced too."""
    made = [folder for folder in (final.parent.parent, final.parent) if not folder.exists()]
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary.rename(final)
    for folder in {final.parent, *(new.parent for new in made)}:
        sync_folder(folder)


def _open(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    except FileNotFoundError:
        raise NotFound.of("file") from None


def _sweep(folder: Path, before: float) -> int:
    if not folder.is_dir():
        return 0
    removed = 0
    for path in folder.iterdir():
        if path.is_file() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
