"""A deleted firm is nowhere any more, whatever held it; an interrupted deletion goes on; a suspended one comes back."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import msgspec
import pytest

from tests.cli.run import command, variables
from tests.conformance.rows import fingerprint
from tests.conformance.scene import APP, Scene, furnished
from tests.factories import Firm, make_firm
from tests.operate.commands import Terminal
from zena.accounts.doorman import Keeper
from zena.accounts.permissions import Role
from zena.kit.embedded import ClusterUrls
from zena.kit.queue import JobWork
from zena.kit.queue.work import PostponeJob
from zena.kit.realtime.doorman import NOT_ALLOWED, Entrant
from zena.kit.state import State
from zena.operate.backup.tools import run
from zena.operate.tenants import erasing
from zena.operate.tenants.firms import Firm as Row
from zena.operate.tenants.standing import resume, suspend
from zena.operate.tenants.tables import tenant_tables

MARK = "zqxmarkedforgood"
#: Columns whose values are chosen from a list, of another form, or found by their type.
_TEXTS = """
SELECT table_name, column_name, data_type FROM information_schema.columns
 WHERE table_schema = 'public' AND data_type IN ('text', 'jsonb', 'ARRAY')
   AND table_name = ANY ($1::text[]) AND (data_type <> 'ARRAY' OR udt_name = '_text') ORDER BY 1, 2
"""


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(urls.ops)
    yield connection
    await connection.close()


@pytest.fixture
def terminal(urls: ClusterUrls, state: State) -> Terminal:
    return Terminal(urls, state.settings.data_dir)


async def plant(ops: asyncpg.Connection, scene: Scene) -> int:
    """Write the mark into every column of the firm and its people that takes one; return how many did."""
    tables = [table.name for table in await tenant_tables(ops)] + ["tenant", "user_account", "session"]
    planted = 0
    for table, column, kind in await ops.fetch(_TEXTS, tables):
        value = {
            "text": f"'{MARK}' || right({column}, 60)",
            "jsonb": f"jsonb_build_object('mark', '{MARK}')",
            "ARRAY": f"ARRAY['{MARK}']",
        }[kind]
        people = "IN (SELECT user_id FROM membership WHERE tenant_id = $1)"
        where = {"tenant": "id = $1", "user_account": f"id {people}", "session": f"user_id {people}"}
        statement = f"UPDATE {table} SET {column} = {value} WHERE {where.get(table, 'tenant_id = $1')}"  # noqa: S608 - names from the catalog
        if (table, column) == ("tenant", "slug"):
            continue
        try:
            async with ops.transaction():
                planted += await ops.execute(statement, scene.firm.tenant) != "UPDATE 0"
        except asyncpg.CheckViolationError:
            continue
    return planted


async def test_nothing_of_a_deleted_firm_is_left(
    state: State, http: httpx.AsyncClient, ops: asyncpg.Connection, urls: ClusterUrls, tmp_path: Path
) -> None:
    """A mark in every text of the firm, in a job, in rows kept of it: a dump of everything and the files hold none."""
    scene, other = await furnished(state, http), await make_firm(state.db)
    slug, tenant = scene.firm.slug, scene.firm.tenant
    await ops.execute(
        "INSERT INTO queue.pgqueuer (entrypoint, priority, payload, status, headers, execute_after) VALUES"
        " ('accounts.mail_notice', 0, $1, 'failed', jsonb_build_object('tenant', $2::text), now())",
        MARK.encode(),
        str(tenant),
    )
    await ops.execute(
        "INSERT INTO ops.integrity_undo (run_id, relation, repair, tenant_id, row_before)"
        " VALUES (gen_random_uuid(), 'task', 'x', $1, jsonb_build_object('mark', $2::text))",
        tenant,
        MARK,
    )
    await suspend(state, slug, f"Because of {MARK}", "test")
    assert await plant(ops, scene) >= 50
    file = state.settings.files_path / await ops.fetchval(
        "SELECT file_key FROM import_run WHERE tenant_id = $1", tenant
    )
    assert MARK in await _dumped(urls, tmp_path / "before")
    others = await fingerprint(urls, other)

    await erasing.begin(state, Row(tenant, slug, "", "suspended", "standard"), "test", settling=0)
    counts = await erasing.erase(state, tenant)

    text = await _dumped(urls, tmp_path / "after")
    assert MARK not in text
    assert MARK.encode().hex() not in text
    assert scene.mark not in text
    assert slug not in text
    assert not file.exists()
    assert not (state.settings.files_path / tenant.hex).exists()
    assert await fingerprint(urls, other) == others
    assert (counts["task"], counts["project"], counts["user_account"]) == (5, 3, 6)
    remains = "SELECT counts::text FROM ops.erasure WHERE tenant_id = $1 AND ended_at IS NOT NULL"
    assert msgspec.json.decode(await ops.fetchval(remains, tenant)) == counts


async def _dumped(urls: ClusterUrls, target: Path) -> str:
    await run("pg_dump", urls.superuser, "--data-only", "--inserts", output=target)
    return await asyncio.to_thread(target.read_text, "utf-8", "replace")


async def test_who_is_in_another_firm_too_or_is_staff_stays(state: State, ops: asyncpg.Connection) -> None:
    going, staying = await make_firm(state.db), await make_firm(state.db)
    shared, staff, only = (going.people[role] for role in (Role.OWNER, Role.ADMIN, Role.PM))
    await ops.execute(
        "INSERT INTO membership (tenant_id, id, user_id, role) VALUES ($1, gen_random_uuid(), $2, 'member')",
        staying.tenant,
        shared.user,
    )
    await ops.execute("UPDATE user_account SET is_operator = true WHERE id = $1", staff.user)
    await erasing.begin(state, Row(going.tenant, going.slug, "", "active", "standard"), "test", settling=0)
    counts = await erasing.erase(state, going.tenant)
    left = await ops.fetch(
        "SELECT id FROM user_account WHERE id = ANY ($1::uuid[])", [shared.user, staff.user, only.user]
    )
    assert {row["id"] for row in left} == {shared.user, staff.user}
    assert (counts["user_account"], counts["membership"]) == (4, 6)
    assert await ops.fetchval("SELECT active_tenant FROM session WHERE id = $1", shared.session) is None


@pytest.mark.proof
async def test_a_deletion_that_was_killed_goes_on(
    state: State, http: httpx.AsyncClient, ops: asyncpg.Connection, terminal: Terminal, urls: ClusterUrls
) -> None:
    """A lock holds it up in the middle; there it is killed; called again it finishes, and its counts are whole.

    No backup was ever made: the directory for the export is not there yet.
    """
    shutil.rmtree(state.settings.backups_path, ignore_errors=True)
    scene = await furnished(state, http)
    slug, tenant = scene.firm.slug, scene.firm.tenant
    left = "SELECT count(*) FROM task_label WHERE tenant_id = $1"
    expected = await ops.fetchval(left, tenant)
    holder = await asyncpg.connect(urls.ops)
    async with holder.transaction():
        await holder.execute("SELECT FROM project WHERE tenant_id = $1 FOR UPDATE", tenant)
        values = {
            "ZENA_DATA_DIR": state.settings.data_dir,
            "ZENA_DATABASE_URL": urls.app,
            "ZENA_DATABASE_OPS_URL": urls.ops,
        }
        going = subprocess.Popen(  # noqa: ASYNC220 - it is killed below
            command("tenant", "delete", slug, "--yes", "--confirm", slug, module="zena"),
            env=variables(**values), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(60):
            while await ops.fetchval(left, tenant):  # noqa: ASYNC110 - another process empties it
                await asyncio.sleep(0.05)
        os.kill(going.pid, signal.SIGKILL)
        await asyncio.to_thread(going.wait)
    await holder.close()
    assert await ops.fetchval("SELECT count(*) FROM tenant WHERE id = $1", tenant) == 1
    refused = await terminal("tenant", "resume", slug)
    assert (refused.code, "being deleted" in refused.err) == (65, True)
    done = await terminal("tenant", "delete", slug, "--yes", "--confirm", slug, "--json")
    assert done.code == 0, done.err
    assert f'"task_label": {expected}' in done.out
    assert '"export": null' in done.out, "the first call made it"
    assert await ops.fetchval("SELECT count(*) FROM tenant WHERE id = $1", tenant) == 0


async def test_a_suspended_firm_is_shut_out_at_once_and_comes_back(
    state: State, http: httpx.AsyncClient, firm: Firm, ops: asyncpg.Connection
) -> None:
    scene = Scene(firm, "", http)
    end = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    token = await scene.tell("POST", f"{APP}/tokens", {"name": "x", "scopes": ["tasks.view"], "expires_at": end})
    bearer = {"authorization": f"Bearer {token['secret']}"}
    owner = firm.people[Role.OWNER]
    entrant = Entrant(firm.scope("owner"), owner.session, None)
    keeper = Keeper(state.db)
    work = JobWork(state, 1, "accounts.verify", firm.tenant, 1, 5, asyncio.Semaphore(1))

    assert (await suspend(state, firm.slug, "Unpaid", "test")).changed
    assert not (await suspend(state, firm.slug, "Unpaid", "test")).changed
    api = await firm.client(http).get(f"{APP}/tasks")
    assert (api.status_code, api.json()["code"]) == (403, "NO_TENANT_ACCESS")
    page = await firm.client(http).get("/my-work", headers={"accept": "text/html"})
    assert (page.status_code, "is suspended" in page.text) == (403, True)
    http.cookies.clear()
    assert (await http.get(f"{APP}/tasks", headers=bearer)).status_code == 403
    assert await keeper.lapsed([entrant]) == {entrant.key: NOT_ALLOWED}
    with pytest.raises(PostponeJob):
        async with work.transaction():
            pass

    assert (await resume(state, firm.slug, "test")).changed
    assert not (await resume(state, firm.slug, "test")).changed
    assert (await firm.client(http).get(f"{APP}/tasks")).status_code == 200
    assert (await http.get(f"{APP}/tasks", headers=bearer)).status_code == 200
    async with work.transaction() as (_, scope):
        assert scope.tenant == firm.tenant
    told = await ops.fetch("SELECT action FROM audit_entry WHERE tenant_id = $1 ORDER BY position", firm.tenant)
    assert [row["action"] for row in told][-2:] == ["tenant.suspended", "tenant.resumed"]


@pytest.mark.proof
async def test_the_commands_tell_and_refuse_in_one_line(terminal: Terminal, firm: Firm) -> None:
    done = await terminal("tenant", "suspend", firm.slug, "--reason", "Unpaid", "--json")
    assert (done.code, '"changed": true' in done.out) == (0, True), done.err
    assert (await terminal("tenant", "resume", firm.slug)).out == f"{firm.slug} is served again\n"
    for arguments, code, why in (
        (("suspend", "nobody", "--reason", "x"), 65, "there is no firm"),
        (("suspend", firm.slug, "--reason", " "), 64, "printable"),
        (("export", firm.slug, "--out", "/nowhere/x.zbk"), 65, "no directory"),
        (("import", "/nowhere/x.zbk"), 65, "no file"),
        (("delete", firm.slug), 64, f"--confirm {firm.slug} --yes"),
        (("delete", firm.slug, "--yes", "--confirm", "another"), 64, "nothing was changed"),
        (("delete", "nobody", "--yes", "--confirm", "nobody"), 65, "there is no firm"),
    ):
        refused = await terminal("tenant", *arguments)
        assert (refused.code, why in refused.err, refused.err.count("\n")) == (code, True, 1), refused.err
