"""One firm is taken along and brought in: whole or not at all, with a record that still proves itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from tests.conformance.rows import fingerprint
from tests.conformance.scene import Scene, furnished
from tests.factories import make_firm
from zena.accounts.permissions import Role
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.backup import archive
from zena.operate.backup.proving import check_fit
from zena.operate.backup.refusal import Refused
from zena.operate.tenants import erasing
from zena.operate.tenants.exporting import Exported, export
from zena.operate.tenants.firms import Firm
from zena.operate.tenants.importing import Brought, bring_in
from zena.operate.tenants.tables import LEFT_OUT, tenant_tables
from zena.settings import load_backup_keys

NOW = datetime.now(UTC)
HEAD = "9999"
#: What every import changes, or begins anew.
OWN_WAY = {"audit_entry", "event", "tenant_head", "invitation", "membership", "import_run", *LEFT_OUT}


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(urls.ops)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def scene(state: State, http: httpx.AsyncClient) -> Scene:
    return await furnished(state, http)


@pytest.fixture(scope="module")
async def exported(state: State, scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return await export(state, scene.firm.slug, tmp_path_factory.mktemp("out") / "firm.zbk", NOW)


async def bring(state: State, path: Path, slug: str | None = None) -> Brought:
    return await bring_in(state, path, slug=slug, head=HEAD, actor="test")


async def rows(ops: asyncpg.Connection, tenant: UUID) -> dict[str, int]:
    tables = await tenant_tables(ops)
    each = [f"SELECT '{one.name}', count(*) FROM {one.quoted} WHERE tenant_id = $1" for one in tables]  # noqa: S608 - names from the catalog
    return dict(await ops.fetch(" UNION ALL ".join(each), tenant))


async def test_no_table_of_firms_is_forgotten(ops: asyncpg.Connection, exported: Exported) -> None:
    taken = {name.removeprefix("public.") for name in exported.manifest.tables}
    assert taken | set(LEFT_OUT) == {table.name for table in await tenant_tables(ops)}
    assert not taken & set(LEFT_OUT)
    assert all(
        exported.manifest.tables[f"public.{name}"].rows for name in taken - {"kpi_snapshot", "project_health_snapshot"}
    )


async def test_a_firm_that_exists_is_brought_in_as_a_copy_under_new_ids(
    state: State, ops: asyncpg.Connection, scene: Scene, exported: Exported, urls: ClusterUrls
) -> None:
    before = await fingerprint(urls, scene.firm)
    brought = await bring(state, exported.path, f"{scene.firm.slug}-copy")
    assert (brought.is_copy, brought.new_people, brought.findings) == (True, [], [])
    assert await fingerprint(urls, scene.firm) == before
    mine, copy = await rows(ops, scene.firm.tenant), await rows(ops, brought.tenant)
    assert {name: many for name, many in copy.items() if name not in LEFT_OUT} == {
        name: many + (name in {"event", "audit_entry"}) for name, many in mine.items() if name not in LEFT_OUT
    }
    for table in await tenant_tables(ops):
        if "id" in table.columns:
            shared = f"SELECT count(*) FROM {table.quoted} a JOIN {table.quoted} b USING (id) WHERE a.tenant_id = $1 AND b.tenant_id = $2"  # noqa: S608, E501 - names from the catalog
            assert await ops.fetchval(shared, scene.firm.tenant, brought.tenant) == 0, table.name
    await _speaks_only_of_itself(ops, scene, brought.tenant)
    entry = await ops.fetchrow(
        "SELECT actor, payload::text AS told FROM event WHERE tenant_id = $1 ORDER BY position DESC LIMIT 1",
        brought.tenant,
    )
    told = msgspec.json.decode(entry["told"])
    assert exported.manifest.firm is not None
    assert (told["origin"], told["head"]) == (str(scene.firm.tenant), exported.manifest.firm.head)
    assert await ops.fetchval("SELECT state FROM invitation WHERE tenant_id = $1", brought.tenant) == "revoked"
    key, sha256 = await ops.fetchrow("SELECT file_key, sha256 FROM import_run WHERE tenant_id = $1", brought.tenant)
    content = b"".join([chunk async for chunk in state.storage.read(key, sha256=sha256)])
    assert scene.mark.encode() in content
    assert key.startswith(brought.tenant.hex)


async def _speaks_only_of_itself(ops: asyncpg.Connection, scene: Scene, copy: UUID) -> None:
    """No id of the firm it was copied from stands in the copy, but where its last entry says whence it came."""
    ids = {
        value for name, value in scene.ids.items() if name.endswith("_id") and name not in {"session_id", "request_id"}
    }
    for table in await tenant_tables(ops):
        found = await ops.fetch(f"SELECT t::text AS row FROM {table.quoted} t WHERE tenant_id = $1", copy)  # noqa: S608 - same
        told = [row["row"] for row in found if "tenant.imported" not in row["row"]]
        assert [one for one in ids if any(one in row for row in told)] == [], table.name


async def test_a_firm_that_was_deleted_comes_back_as_it_was(
    state: State, http: httpx.AsyncClient, ops: asyncpg.Connection, urls: ClusterUrls, tmp_path: Path
) -> None:
    scene = await furnished(state, http)
    firm = scene.firm
    head = "SELECT encode(audit_hash, 'hex') FROM tenant_head WHERE tenant_id = $1"
    chain = await ops.fetchval(head, firm.tenant)
    before = await fingerprint(urls, firm)
    made = await export(state, firm.slug, tmp_path / "firm.zbk", NOW)
    row = Firm(firm.tenant, firm.slug, "", "active", "standard")
    await erasing.begin(state, row, "test", settling=0)
    await erasing.erase(state, firm.tenant)
    assert not any((await rows(ops, firm.tenant)).values())

    brought = await bring(state, made.path)
    assert (brought.tenant, brought.is_copy, brought.findings) == (firm.tenant, False, [])
    assert sorted(brought.new_people) == sorted(caller.email for caller in firm.people.values())
    after = await fingerprint(urls, firm)
    assert {name for name in before if before[name] != after[name]} <= OWN_WAY
    linked = "SELECT encode(prev_hash, 'hex') FROM audit_entry WHERE tenant_id = $1 ORDER BY position DESC LIMIT 1"
    assert await ops.fetchval(linked, firm.tenant) == chain, "the record goes on where it ended"
    assert (
        await ops.fetchval("SELECT count(password_hash) FROM user_account WHERE id = $1", firm.people[Role.OWNER].user)
        == 0
    )


def _flipped(path: Path, to: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    to.write_bytes(content)
    return to


def _cut(path: Path, to: Path) -> Path:
    to.write_bytes(path.read_bytes()[:-100])
    return to


def _newer(path: Path, to: Path, state: State) -> Path:
    """The same archive, of a release that is to come."""
    ring = load_backup_keys(state.settings, make=False)
    manifest = msgspec.structs.replace(archive.manifest_of(path, ring), revision="99999", parts=[])
    archive.write(to, ring.current, manifest, [])
    return to


async def test_what_cannot_be_trusted_is_refused_and_nothing_is_touched(
    state: State, ops: asyncpg.Connection, scene: Scene, exported: Exported, tmp_path: Path
) -> None:
    firms = "SELECT array_agg(id ORDER BY id) FROM tenant"
    before, stored = await ops.fetchval(firms), _stored(state)
    wrong: list[tuple[Path, str | None, str]] = [
        (_flipped(exported.path, tmp_path / "flipped"), "other", "damaged"),
        (_cut(exported.path, tmp_path / "cut"), "other", "cut off"),
        (_newer(exported.path, tmp_path / "newer", state), "other", "revision 99999"),
        (exported.path, None, "already"),
    ]
    for path, slug, why in wrong:
        with pytest.raises(Refused, match=why):
            await bring(state, path, slug)
    assert await ops.fetchval(firms) == before
    assert _stored(state) == stored
    with pytest.raises(Refused, match="zena tenant import"):
        check_fit(exported.path, exported.manifest, None)


async def test_an_import_that_fails_late_leaves_no_file(
    state: State, ops: asyncpg.Connection, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are stored before its rows; when the transaction ends badly they are taken away again."""
    stored = _stored(state)

    async def cancelled(*_: Any) -> list[str]:
        raise asyncio.CancelledError

    monkeypatch.setattr("zena.operate.tenants.importing._wrong", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await bring(state, exported.path, "never-there")
    assert _stored(state) == stored
    assert await ops.fetchval("SELECT count(*) FROM tenant WHERE slug = 'never-there'") == 0


def _stored(state: State) -> set[Path]:
    return {path for path in state.settings.files_path.rglob("*") if path.is_file()}


async def test_a_damaged_file_is_named_and_nothing_is_written_over(
    state: State, http: httpx.AsyncClient, ops: asyncpg.Connection, tmp_path: Path
) -> None:
    scene = await furnished(state, http)
    key = await ops.fetchval("SELECT file_key FROM import_run WHERE tenant_id = $1", scene.firm.tenant)
    (state.settings.files_path / key).write_bytes(b"other")
    made = await export(state, scene.firm.slug, tmp_path / "firm.zbk", NOW)
    assert made.damaged == [key]
    with pytest.raises(Refused, match="nothing is written over"):
        await export(state, scene.firm.slug, made.path, NOW)
    with pytest.raises(Refused, match="there is no firm"):
        await export(state, "nobody-here", tmp_path / "other.zbk", NOW)


async def test_two_imports_at_once_make_one_firm(state: State, exported: Exported) -> None:
    """The second is told to wait; the short name would stop it in any case."""
    done = await asyncio.gather(*(bring(state, exported.path, "twice") for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Brought", "Refused"]


async def test_an_empty_firm_is_taken_along_too(state: State, tmp_path: Path) -> None:
    firm = await make_firm(state.db, roles=(Role.OWNER,))
    made = await export(state, firm.slug, tmp_path / "firm.zbk", NOW)
    brought = await bring(state, made.path, f"{firm.slug}-2")
    assert (brought.rows, brought.files, brought.findings) == (made.manifest.rows, 0, [])
