"""The archive: a sealed tar stream whose first member says what must be found in it."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO, Final, cast
from uuid import UUID

import msgspec

from zena.operate.backup.refusal import Refused
from zena.operate.backup.sealed import SealedReader, SealedWriter
from zena.settings import Key, KeyRing

FORMAT: Final = 1
DUMP: Final = "database.dump"
KEYS: Final = "secret.key"
FILES: Final = "files/"
ROWS: Final = "rows/"
BASE: Final = "base.tar.gz"
PASSWORDS: Final = "postgres.json"
_MANIFEST: Final = "manifest.json"
_MOST_MANIFEST: Final = 512 * 1024 * 1024
_BLOCK: Final = 1024 * 1024


class Table(msgspec.Struct, frozen=True):
    """What a table held: rows, and a sum over the digest of each row, whatever their order."""

    rows: int
    digest: str


class Fences(msgspec.Struct, frozen=True):
    """What keeps tenants apart, counted: policies, tables that force them, what the app role was granted."""

    policies: int
    forced: int
    grants: int


class Part(msgspec.Struct, frozen=True):
    """One member of the archive: the dump, the key ring, or a file under `files/`. `size` in bytes."""

    name: str
    size: int
    sha256: str


class Person(msgspec.Struct, frozen=True):
    """Somebody who belongs to an exported firm. Nothing by which they sign in."""

    id: UUID
    email: str
    name: str
    sort_key: str
    is_active: bool
    locale: str | None
    timezone: str | None
    theme: str


class Firm(msgspec.Struct, frozen=True):
    """What the export of one firm says of it. `row` is its own row as JSON, `columns` go with the tables in `rows/`.

    `entries` and `head` (hex) are the end of its record of what was done.
    """

    id: UUID
    slug: str
    row: str
    columns: dict[str, list[str]]
    people: list[Person]
    entries: int
    head: str


class Manifest(msgspec.Struct, frozen=True):
    """What the archive was made of. `revision` is the schema's, `database_bytes` the size of the database then.

    `wal` is the first piece of the server's log that a base backup needs, None for a dump; `firm` is None for anything
    but the export of one firm.
    """

    format: int
    release: str
    revision: str
    created: datetime
    server: str
    database_bytes: int
    tables: dict[str, Table]
    fences: Fences
    parts: list[Part]
    wal: str | None = None
    firm: Firm | None = None

    @property
    def rows(self) -> int:
        """Rows of people and firms; what the installation counts of itself does not make a backup."""
        return sum(table.rows for name, table in self.tables.items() if is_content(name))

    @property
    def files(self) -> int:
        return sum(part.name.startswith(FILES) for part in self.parts)


def is_content(table: str) -> bool:
    return table.startswith("public.") and table != "public.alembic_version"


def part_of(name: str, path: Path) -> Part:
    """Return what a file is now."""
    with path.open("rb") as stream:
        return Part(name, os.fstat(stream.fileno()).st_size, hashlib.file_digest(stream, "sha256").hexdigest())


def write(path: Path, key: Key, manifest: Manifest, sources: Sequence[Path]) -> None:
    """Write the archive; `sources` are the files of the manifest's parts, in their order."""
    sealed = SealedWriter(path, key)
    try:
        with tarfile.open(fileobj=cast("BinaryIO", sealed), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            text = msgspec.json.encode(manifest)
            tar.addfile(_member(_MANIFEST, len(text)), io.BytesIO(text))
            for part, source in zip(manifest.parts, sources, strict=True):
                with source.open("rb") as stream:
                    tar.addfile(_member(part.name, part.size), stream)
        sealed.close()
    except BaseException:
        sealed.abandon()
        raise


def manifest_of(path: Path, ring: KeyRing) -> Manifest:
    """Return what an archive says of itself, reading no further."""
    with _opened(path, ring) as (_, tar):
        return _first(path, tar)


def unpack(path: Path, ring: KeyRing, into: Path, *, files: bool) -> Manifest:
    """Read a whole archive, hold each part against the manifest, and lay the parts into `into` (files if asked for).

    Refused when a byte is not what was written, or a part is missing or too many.
    """
    with _opened(path, ring) as (sealed, tar):
        manifest = _first(path, tar)
        expected = {part.name: part for part in manifest.parts}
        while (member := tar.next()) is not None:
            part = expected.pop(member.name, None)
            stream = tar.extractfile(member)
            if part is None or stream is None or not is_safe(part.name):
                raise Refused(f"{path.name} holds {member.name!r}, which its manifest does not name")
            wanted = files or not part.name.startswith(FILES)
            _lay(path, part, stream, into / part.name if wanted else None)
        sealed.drain()
    if expected:
        raise Refused(f"{path.name} lacks {next(iter(expected))!r}, which its manifest names")
    return manifest


def is_safe(name: str) -> bool:
    """Tell whether a part may be laid under a directory of ours."""
    folder, _, plain = name.partition("/")
    inside = f"{folder}/" in {FILES, ROWS} and all(step not in {"", ".", ".."} for step in plain.split("/"))
    return inside or name in {DUMP, KEYS, BASE, PASSWORDS}


@contextmanager
def _opened(path: Path, ring: KeyRing) -> Iterator[tuple[SealedReader, tarfile.TarFile]]:
    sealed = SealedReader(path, ring)
    try:
        with tarfile.open(fileobj=cast("BinaryIO", sealed), mode="r|") as tar:
            yield sealed, tar
    except tarfile.TarError as error:
        raise Refused(f"{path.name} was sealed by us and is not laid out as a backup ({error})") from error
    finally:
        sealed.close()


def _first(path: Path, tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    stream = tar.extractfile(member) if member and member.name == _MANIFEST and member.size < _MOST_MANIFEST else None
    if stream is None:
        raise Refused(f"{path.name} does not begin with a manifest")
    try:
        return msgspec.json.decode(stream.read(), type=Manifest)
    except msgspec.DecodeError as error:
        raise Refused(
            f"the manifest of {path.name} cannot be read ({error}); a newer release may have made it"
        ) from error


def _lay(path: Path, part: Part, stream: IO[bytes], target: Path | None) -> None:
    digest, size = hashlib.sha256(), 0
    if target is not None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.devnull if target is None else target, "wb", opener=_private) as out:
        while block := stream.read(_BLOCK):
            size += len(block)
            digest.update(block)
            out.write(block)
    if (size, digest.hexdigest()) != (part.size, part.sha256):
        raise Refused(f"{part.name} in {path.name} is not what its manifest says")


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member
