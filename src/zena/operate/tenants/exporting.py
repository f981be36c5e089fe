"""Writing one firm into a sealed archive: its rows as the server copies them, its files, its people by address."""

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from zena import __version__
from zena.kit.db import Raw
from zena.kit.state import State
from zena.operate.backup import archive, shelf
from zena.operate.backup.archive import FILES, ROWS, Fences, Firm, Manifest, Part, Person, Table, part_of
from zena.operate.backup.contents import reading, revision_of
from zena.operate.backup.refusal import Refused
from zena.operate.tenants.tables import LEFT_OUT, tenant_tables
from zena.settings import Role, load_backup_keys

_FIRM: Final = "SELECT id, slug, to_jsonb(t)::text AS row FROM tenant t WHERE slug = $1"
_PEOPLE: Final = """
SELECT u.id, u.email, u.name, u.sort_key, u.is_active, u.locale, u.timezone, u.theme
  FROM user_account u JOIN membership m ON m.user_id = u.id WHERE m.tenant_id = $1 ORDER BY u.id
"""
_HEAD: Final = (
    "SELECT audit_position AS entries, encode(audit_hash, 'hex') AS head FROM tenant_head WHERE tenant_id = $1"
)


@dataclass(frozen=True, slots=True)
class Exported:
    """An archive of one firm. `damaged` are files of it that are missing or changed, and were left out."""

    path: Path
    manifest: Manifest
    damaged: list[str]
    new_key: bool


async def export(state: State, slug: str, out: Path, at: datetime) -> Exported:
    """Write the firm with this short name to a file that is not there yet. Refused, nothing is left behind."""
    settings = state.settings
    with shelf.at_work(settings.backups_path) as draft:
        _check_free(out)  # here: the directory of backups may be where it goes, and be made only now
        new_key = not settings.backup_key_path.exists()
        ring = load_backup_keys(settings, make=True)
        async with reading(settings.dsn(Role.OPS)) as conn:
            manifest = await _rows(conn, slug, at, draft)
            files = await _files(state, conn, _firm(manifest).id)
        whole = {key: path for key, path, sha256 in files if _is_whole(path, sha256)}
        parts, sources = _parts(manifest, draft, whole)
        manifest = msgspec.structs.replace(manifest, parts=parts)
        shelf.check_room(out.parent, sum(part.size for part in parts))
        written = out.with_name(f".{out.name}.{os.getpid()}")
        try:
            await asyncio.to_thread(archive.write, written, ring.current, manifest, sources)
            shelf.settle(written, out)
        finally:
            written.unlink(missing_ok=True)
    return Exported(out, manifest, [key for key, _, _ in files if key not in whole], new_key)


def _check_free(out: Path) -> None:
    if out.exists():
        raise Refused(f"{out} is there already: nothing is written over")
    if not out.parent.is_dir():
        raise Refused(f"there is no directory {out.parent}")


async def _rows(conn: Raw, slug: str, at: datetime, draft: Path) -> Manifest:
    """Copy the firm's rows into `draft`, table by table, as this connection sees them."""
    firm = await conn.fetchrow(_FIRM, slug.strip().lower())
    if firm is None:
        raise Refused(f"there is no firm {slug!r}: `zena tenant list` shows them")
    found: dict[str, Table] = {}
    columns: dict[str, list[str]] = {}
    (draft / ROWS).mkdir()
    for table in await tenant_tables(conn):
        if table.name in LEFT_OUT:
            continue
        wanted = f"SELECT {table.listed} FROM {table.quoted} WHERE tenant_id = $1"  # noqa: S608 - names that the catalog quoted
        told = await conn.copy_from_query(wanted, firm["id"], output=draft / ROWS / table.name)
        found[f"public.{table.name}"] = Table(int(told.rpartition(" ")[2]), "")
        columns[table.name] = table.columns
    people = [Person(**row) for row in await conn.fetch(_PEOPLE, firm["id"])]
    head = await conn.fetchrow(_HEAD, firm["id"])
    return Manifest(
        format=archive.FORMAT,
        release=__version__,
        revision=await revision_of(conn) or "",
        created=at,
        server="",
        database_bytes=0,
        tables=found,
        fences=Fences(0, 0, 0),
        parts=[],
        firm=Firm(firm["id"], firm["slug"], firm["row"], columns, people, head["entries"], head["head"]),
    )


async def _files(state: State, conn: Raw, tenant: UUID) -> list[tuple[str, Path, str]]:
    """Return key, place and digest of every file that the firm's rows speak of."""
    found: list[tuple[str, Path, str]] = []
    for source in state.registry.files:
        rows = await conn.fetch(source.sql, tenant)
        found += [(row["key"], state.settings.files_path / row["key"], row["sha256"]) for row in rows]
    return found


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and part_of(path.name, path).sha256 == sha256


def _parts(manifest: Manifest, draft: Path, files: dict[str, Path]) -> tuple[list[Part], list[Path]]:
    sources = {f"{ROWS}{name}": draft / ROWS / name for name in _firm(manifest).columns}
    sources |= {f"{FILES}{key}": path for key, path in sorted(files.items())}
    return [part_of(name, path) for name, path in sources.items()], list(sources.values())


def _firm(manifest: Manifest) -> Firm:
    if manifest.firm is None:
        raise Refused("this archive holds no firm")
    return manifest.firm
