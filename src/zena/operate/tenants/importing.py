"""Bringing a firm in from its export: all of it in one transaction, or nothing.

Where its id is free it comes back as it was, and its record of what was done still proves itself. Where the firm
exists, a copy is made under new ids, the record is linked anew, and its last entry says where the old one ended.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.facade import restart_chain, verify_chain
from zena.kit.changes import record as note
from zena.kit.db import Raw, raw
from zena.kit.events import record
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.storage import CHUNK
from zena.kit.uow import unit_of_work
from zena.operate.backup import archive, shelf
from zena.operate.backup.archive import FILES, ROWS, Firm, Manifest
from zena.operate.backup.proving import check_release
from zena.operate.backup.refusal import Refused
from zena.operate.events import TenantImported
from zena.operate.integrity.finding import Finding
from zena.operate.integrity.invariants import broken
from zena.operate.sessions import operations
from zena.operate.tenants import people
from zena.operate.tenants.firms import Firm as Row
from zena.operate.tenants.renaming import Names, give_new_ids, renamed
from zena.operate.tenants.tables import LEFT_OUT, Table, tenant_tables
from zena.settings import load_backup_keys

#: The record keeps its letters unless the firm gets new ids.
_RECORD: Final = "audit_entry"
_TAKEN: Final = "SELECT EXISTS (SELECT FROM tenant WHERE id = $1), EXISTS (SELECT FROM tenant WHERE slug = $2)"
_FIRM: Final = """
INSERT INTO tenant SELECT * FROM jsonb_populate_record(NULL::tenant, $1::text::jsonb || $2::text::jsonb)
RETURNING name, status, plan
"""
#: An open offer would lead to two firms, and a person has one firm that opens first.
_AFTERWARDS: Final = (
    """UPDATE invitation SET token_hash = sha256(convert_to(id::text, 'UTF8')),
              state = CASE state WHEN 'pending' THEN 'revoked' ELSE state END, decided_at = coalesce(decided_at, now())
        WHERE tenant_id = $1""",
    """UPDATE membership m SET is_default = false
        WHERE m.tenant_id = $1 AND m.is_default AND EXISTS (
              SELECT FROM membership o WHERE o.user_id = m.user_id AND o.tenant_id <> m.tenant_id AND o.is_default)""",
)


@dataclass(frozen=True, slots=True)
class Brought:
    """A firm that is here now. `findings` are what is not whole in it; `new_people` got accounts without a password."""

    tenant: UUID
    slug: str
    is_copy: bool
    rows: int
    files: int
    new_people: list[str]
    findings: list[Finding] = field(default_factory=list)


async def bring_in(state: State, path: Path, *, slug: str | None, head: str | None, actor: str) -> Brought:
    """Bring the firm of an archive in, under another short name if one is given.

    Refused when the archive is damaged, of a newer release, holds no firm, or the short name is taken.
    """
    ring = load_backup_keys(state.settings, make=False)
    with shelf.at_work(state.settings.backups_path) as draft:
        check_release(path, archive.manifest_of(path, ring), head)
        manifest = await asyncio.to_thread(archive.unpack, path, ring, draft, files=True)
        if manifest.firm is None:
            raise Refused(f"{path.name} is a backup of everything: `zena backup restore` puts it back")
        laid = _Laid(state, draft)
        try:
            async with operations(state) as db, unit_of_work(db) as session:
                return await _bring(state, session, manifest, laid, slug=slug, actor=actor)
        except BaseException:
            laid.take_away()
            raise


@dataclass(slots=True)
class _Laid:
    """The files of the firm, stored before the rows that name them; taken away again when those do not come."""

    state: State
    draft: Path
    keys: list[str] = field(default_factory=list)

    async def lay(self, tenant: UUID, manifest: Manifest, names: Names) -> None:
        for part in manifest.parts:
            if part.name.startswith(FILES):
                stored = await self.state.storage.put(_content(self.draft / part.name), tenant=tenant, limit=part.size)
                self.keys.append(stored.key)
                names.add(part.name.removeprefix(FILES), stored.key)

    def take_away(self) -> None:
        for key in self.keys:
            (self.state.settings.files_path / key).unlink(missing_ok=True)


async def _bring(
    state: State, session: AsyncSession, manifest: Manifest, laid: _Laid, *, slug: str | None, actor: str
) -> Brought:
    firm, conn = _firm(manifest), await raw(session)
    wanted = slug or firm.slug
    is_copy, slug_taken = await conn.fetchrow(_TAKEN, firm.id, wanted)
    if slug_taken:
        raise Refused(f"there is a firm {wanted} already: name another short name with --as")
    tables = _fitting(firm, await tenant_tables(conn))
    tenant, names = new_id() if is_copy else firm.id, Names()
    if is_copy:
        give_new_ids(names, laid.draft / ROWS, firm.columns, [one.id for one in firm.people])
    names.add(firm.id, tenant)
    new_people = await people.match(conn, firm.people, names)
    letters = Names(dict(names.known)) if is_copy else Names()  # the record speaks of no files
    await laid.lay(tenant, manifest, names)
    changes = {"id": str(tenant), "slug": wanted} | _served(firm)
    row = await conn.fetchrow(_FIRM, firm.row, msgspec.json.encode(changes).decode())
    for table in tables:
        source = renamed(laid.draft / ROWS / table.name, letters if table.name == _RECORD else names)
        await conn.copy_to_table(table.name, source=source, columns=firm.columns[table.name])
    for statement in _AFTERWARDS:
        await conn.execute(statement, tenant)
    if is_copy:
        await restart_chain(session, tenant)
    brought = Brought(
        tenant, wanted, is_copy, manifest.rows, len(laid.keys), new_people, await _wrong(state, session, conn, tenant)
    )
    system = Row(tenant, wanted, row["name"], row["status"], row["plan"]).system(state.clock)
    record(session, system, TenantImported(subject=tenant, origin=firm.id, entries=firm.entries, head=firm.head))
    await note(conn, "remedy", "tenant import", actor=actor, after={"tenant": tenant, "rows": manifest.rows})
    return brought


async def _wrong(state: State, session: AsyncSession, conn: Raw, tenant: UUID) -> list[Finding]:
    """Return what does not hold of the firm's rows: the promises of the slices, and its record."""
    found = [one for check in state.registry.checks for one in await broken(conn, check, tenant)]
    chain = await verify_chain(session, tenant)
    if not chain.intact:
        found.append(Finding("audit chain", _RECORD, 1, [f"entry {chain.first_bad}: {chain.reason}"], tenant))
    return found


def _fitting(firm: Firm, there: list[Table]) -> list[Table]:
    """Return the tables to fill, in the order in which they can be; Refused where the archive knows others."""
    here = {table.name: table for table in there}
    for name, columns in firm.columns.items():
        strange = name not in here or name in LEFT_OUT or set(columns) - set(here[name].columns)
        if strange:
            raise Refused(f"the archive speaks of {name}, which this release does not have like that")
    return [table for table in there if table.name in firm.columns]


def _served(firm: Firm) -> dict[str, Any]:
    """A firm that was exported on its way out is served again where it comes in."""
    return {"status": "active"} if msgspec.json.decode(firm.row)["status"] == "inactive" else {}


async def _content(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as stream:
        while chunk := await asyncio.to_thread(stream.read, CHUNK):
            yield chunk


def _firm(manifest: Manifest) -> Firm:
    if manifest.firm is None:
        raise Refused("this archive holds no firm")
    return manifest.firm
