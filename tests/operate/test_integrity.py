"""Real damage, done as superuser with the triggers off, is found, named and, where that can be, repaired."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.cli.run import zena
from tests.factories import Firm, make_firm
from tests.kit.pg import FAST, open_folder
from tests.work.making import made_label, made_project, made_task
from zena.kit.checks import Check, StoredFiles
from zena.kit.embedded import ClusterUrls, EmbeddedPostgres
from zena.kit.errors import Forbidden
from zena.kit.ids import new_id
from zena.kit.queue import JobWork
from zena.kit.state import State
from zena.main import build_state, started
from zena.migrations.run import upgrade
from zena.operate.integrity.finding import Report
from zena.operate.integrity.heap import compare, indexes
from zena.operate.integrity.look import eyes, look
from zena.operate.integrity.mend import Busy, mend
from zena.operate.integrity.store import last
from zena.operate.jobs import integrity
from zena.settings import Settings

Site = SimpleNamespace


@pytest.fixture(scope="module")
def servers() -> Iterator[ClusterUrls]:
    """A server of this file's own: what is broken here must not trouble other tests."""
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, options=FAST)
        server.start()
        try:
            yield server.urls()
        finally:
            server.stop()


@pytest.fixture(scope="module")
async def broken(servers: ClusterUrls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[State]:
    await upgrade(servers.owner, servers.ops)
    settings = Settings(
        env="test",
        data_dir=tmp_path_factory.mktemp("data"),
        public_url="https://zena.test",
        database_url=servers.app,
        database_owner_url=servers.owner,
        database_ops_url=servers.ops,
        database_ops_read_url=servers.ops_read,
    )
    async with started(build_state(settings)) as state:
        yield state


@pytest.fixture
async def root(servers: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    """A superuser with every trigger off."""
    conn = await asyncpg.connect(servers.superuser, server_settings={"session_replication_role": "replica"})
    yield conn
    await conn.close()


@pytest.fixture
async def site(broken: State) -> AsyncIterator[Site]:
    """A firm with a project, two tasks and a label; everything is whole before and after each test."""
    firm: Firm = await make_firm(broken.db)
    project = await made_project(broken, firm)
    label = await made_label(broken, firm)
    tasks = [await made_task(broken, firm, project, labels=[label]) for _ in range(2)]
    assert await looked(broken) == {}
    yield Site(firm=firm, tenant=firm.tenant, project=project, tasks=tasks, label=label)
    assert await looked(broken) == {}


async def looked(state: State, *, quick: bool = True) -> dict[tuple[str, str], int]:
    """Everything that is broken, with how often."""
    async with eyes(state) as seen:
        report = await look(seen, quick=quick)
    assert report.unfinished == []
    return {(finding.check, finding.subject): finding.count for finding in report.findings}


async def mended(state: State) -> tuple[list[str], UUID]:
    async with eyes(state) as seen:
        report = await look(seen, quick=True)
        return await mend(seen, report.findings, report.run_id, "a test"), report.run_id


ORPHAN = ("orphans", "task_label: fk_task_label_tenant_id_task_id")
LINK = "INSERT INTO task_label (tenant_id, task_id, label_id) VALUES ($1, $2, $3)"


async def test_X2_an_orphan_is_found_copied_away_and_deleted(
    broken: State, root: asyncpg.Connection, site: Site
) -> None:
    lost = new_id()
    await root.execute(LINK, site.tenant, lost, site.label)
    assert ORPHAN in await looked(broken)
    done, run_id = await mended(broken)
    assert done[0] == "delete the rows of 1 in task_label (fk_task_label_tenant_id_task_id)"
    kept = await root.fetch("SELECT relation, tenant_id, row_before FROM ops.integrity_undo WHERE run_id = $1", run_id)
    mine = [row for row in kept if row["relation"] == "public.task_label"]
    assert [row["tenant_id"] for row in mine] == [site.tenant]
    assert json.loads(mine[0]["row_before"])["task_id"] == str(lost)
    assert await root.fetchval("SELECT count(*) FROM ops.change WHERE kind = 'remedy' AND actor = 'a test'") > 0


async def test_X2_a_lost_author_is_cleared_and_a_lost_project_is_not_guessed(
    broken: State, root: asyncpg.Connection, site: Site
) -> None:
    task = site.tasks[0]
    await root.execute("UPDATE task SET created_by = $2 WHERE id = $1", task, new_id())
    await root.execute("UPDATE task_label SET label_id = $2 WHERE task_id = $1", task, new_id())
    found = await looked(broken)
    assert found["orphans", "task: fk_task_tenant_id_created_by"] == 1
    assert found["orphans", "task_label: fk_task_label_tenant_id_label_id"] == 1
    done, _ = await mended(broken)
    assert done == ["clear the reference of 1 in task (fk_task_tenant_id_created_by)"]
    assert await root.fetchval("SELECT created_by FROM task WHERE id = $1", task) is None
    left = await looked(broken)
    assert ("orphans", "task_label: fk_task_label_tenant_id_label_id") in left
    await root.execute("UPDATE task_label SET label_id = $2 WHERE task_id = $1", task, site.label)


async def test_X2_wrong_counters_are_recounted_and_their_rows_kept(
    broken: State, root: asyncpg.Connection, site: Site
) -> None:
    await root.execute("UPDATE project_stats SET done = 77 WHERE project_id = $1", site.project)
    await root.execute("UPDATE project_counter SET last_number = 0 WHERE project_id = $1", site.project)
    found = await looked(broken)
    assert {("invariant", "project_stats"), ("invariant", "project_counter")} <= set(found)
    done, run_id = await mended(broken)
    assert sorted(done) == sorted(f"{name} of firm {site.tenant}" for name in ("recount", "renumber"))
    kept = "SELECT row_before ->> 'done' FROM ops.integrity_undo WHERE run_id = $1 AND relation = 'project_stats'"
    assert await root.fetchval(kept, run_id) == "77"
    await root.execute("DELETE FROM project_stats WHERE project_id = $1", site.project)
    assert ("invariant", "project_stats") in await looked(broken)
    await mended(broken)


async def test_X2_a_repair_that_fails_changes_nothing(broken: State, root: asyncpg.Connection, site: Site) -> None:
    await root.execute("UPDATE project_stats SET done = 77 WHERE project_id = $1", site.project)
    await root.execute(LINK, site.tenant, new_id(), site.label)
    await root.execute("ALTER TABLE project_stats ADD CONSTRAINT no_more CHECK (done = 77) NOT VALID")
    with pytest.raises(asyncpg.CheckViolationError):
        await mended(broken)
    await root.execute("ALTER TABLE project_stats DROP CONSTRAINT no_more")
    assert {ORPHAN, ("invariant", "project_stats")} <= set(await looked(broken))
    await mended(broken)


async def test_two_repairs_at_once_are_one(broken: State, root: asyncpg.Connection, site: Site) -> None:
    await root.execute("UPDATE project_stats SET done = 77 WHERE project_id = $1", site.project)
    async with root.transaction():
        await root.execute("SELECT pg_advisory_xact_lock(hashtextextended('zena integrity repair', 0))")
        with pytest.raises(Busy):
            await mended(broken)
    await mended(broken)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("UPDATE audit_entry SET action = 'task.other' WHERE {one}", "its content was changed"),
        ("DELETE FROM audit_entry WHERE {one}", "an entry is missing"),
    ],
)
async def test_J06_a_broken_audit_chain_is_found_and_not_repaired(
    broken: State, root: asyncpg.Connection, site: Site, harm: str, told: str
) -> None:
    one = f"tenant_id = '{site.tenant}' AND position = 2"
    await root.execute(f"CREATE TABLE ops.spare AS SELECT * FROM audit_entry WHERE {one}")  # noqa: S608 - ids of ours
    await root.execute(harm.format(one=one))
    async with eyes(broken) as seen:
        report = await look(seen, quick=True)
    finding = next(finding for finding in report.findings if finding.check == "audit chain")
    assert (finding.tenant, finding.repair, list(finding.sample)) == (site.tenant, None, [f"entry 2: {told}"])
    await root.execute(f"DELETE FROM audit_entry WHERE {one}; INSERT INTO audit_entry SELECT * FROM ops.spare")  # noqa: S608 - same
    await root.execute("DROP TABLE ops.spare")


SWITCHED = [
    ("row security", "ALTER TABLE label NO FORCE ROW LEVEL SECURITY", "ALTER TABLE label FORCE ROW LEVEL SECURITY"),
    ("policy", "ALTER POLICY tenant ON label USING (true)", "ALTER POLICY tenant ON label USING ({rule})"),
    ("policy", "DROP POLICY tenant ON label", "CREATE POLICY tenant ON label USING ({rule}) WITH CHECK ({rule})"),
    ("open policy", "CREATE POLICY extra ON label USING (true)", "DROP POLICY extra ON label"),
    ("trigger", "ALTER TABLE comment DISABLE TRIGGER ALL", "ALTER TABLE comment ENABLE TRIGGER ALL"),
    ("bypassing role", "ALTER ROLE zena_app BYPASSRLS", "ALTER ROLE zena_app NOBYPASSRLS"),
    (
        "tenant column",
        "GRANT UPDATE (tenant_id) ON label TO zena_app",
        "REVOKE UPDATE (tenant_id) ON label FROM zena_app",
    ),
    ("missing right", "REVOKE INSERT ON label FROM zena_app", "GRANT INSERT ON label TO zena_app"),
    ("right too many", "GRANT TRUNCATE ON label TO zena_app", "REVOKE TRUNCATE ON label FROM zena_app"),
    (
        "index",
        "UPDATE pg_index SET indisvalid = false WHERE {index}",
        "UPDATE pg_index SET indisvalid = true WHERE {index}",
    ),
    (
        "foreign key",
        """CREATE TABLE ops.spare (id bigint PRIMARY KEY); GRANT SELECT ON ops.spare TO zena_ops;
        INSERT INTO ops.spare SELECT DISTINCT hue FROM label;
        ALTER TABLE label ADD CONSTRAINT loose FOREIGN KEY (hue) REFERENCES ops.spare""",
        "DROP TABLE ops.spare CASCADE",
    ),
    ("primary key", "CREATE TABLE spare (tenant_id uuid)", "DROP TABLE spare"),
    (
        "constraint",
        "ALTER TABLE label ADD CONSTRAINT later CHECK (hue < 100) NOT VALID",
        "ALTER TABLE label DROP CONSTRAINT later",
    ),
    (
        "definer function",
        "CREATE FUNCTION public.sly() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION public.sly()",
    ),
]


@pytest.mark.parametrize(("switch", "harm", "heal"), SWITCHED)
async def test_X2_a_switch_that_was_turned_is_found(
    broken: State, root: asyncpg.Connection, site: Site, switch: str, harm: str, heal: str
) -> None:
    rule = "tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid)"
    index = "indexrelid = 'ix_task_due'::regclass"
    await root.execute(harm.format(index=index))
    found = await looked(broken)
    await root.execute(heal.format(rule=rule, index=index))
    assert ("posture", switch) in found


async def test_X2_an_index_that_lost_a_row_is_found(broken: State, root: asyncpg.Connection, site: Site) -> None:
    """The function behind the index changes its mind: what lies in the index is not what the table says."""
    await root.execute("CREATE FUNCTION odd(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'")
    await root.execute("GRANT EXECUTE ON FUNCTION odd TO zena_ops")
    await root.execute("CREATE INDEX ix_odd ON label (tenant_id, id) WHERE odd(name)")
    await root.execute("CREATE OR REPLACE FUNCTION odd(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT false'")
    await made_label(broken, site.firm, "Second")
    await root.execute("CREATE OR REPLACE FUNCTION odd(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'")
    found = await looked(broken, quick=False)
    await root.execute("DROP INDEX ix_odd")
    await root.execute("DROP FUNCTION odd")
    assert found == {("index", "label: ix_odd"): 1}


async def test_nothing_looks_broken_while_people_work(broken: State, site: Site) -> None:
    async def work() -> None:
        for _ in range(12):
            await made_task(broken, site.firm, site.project, labels=[site.label])

    working = asyncio.create_task(work())
    looks = [await looked(broken, quick=False)]
    while not working.done():
        looks.append(await looked(broken))
    await working
    assert all(found == {} for found in looks)


async def test_every_index_of_the_tables_can_be_compared(broken: State, site: Site) -> None:
    async with eyes(broken) as seen:
        left_out = [one.index for one in await indexes(seen.conn) if await compare(seen.conn, one) is None]
    assert left_out == []


async def test_F17_files_are_read_to_the_last_byte(broken: State, root: asyncpg.Connection, site: Site) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"name\nDig\n"

    stored = await broken.storage.put(content(), tenant=site.tenant, limit=1000)
    path = broken.settings.data_dir / "files" / stored.key
    await root.execute(
        "INSERT INTO import_run (tenant_id, id, project_id, file_name, file_key, sha256, size)"
        " VALUES ($1, $2, $3, 'a.csv', $4, $5, $6)",
        site.tenant, new_id(), site.project, stored.key, stored.sha256, stored.size,
    )  # fmt: skip
    assert await looked(broken, quick=False) == {}
    path.write_bytes(b"name\nDug\n")
    async with eyes(broken) as seen:
        (finding,) = (await look(seen)).findings
    assert (finding.check, finding.tenant) == ("files", site.tenant)
    assert finding.sample[0].endswith("its content was changed")
    path.unlink()
    assert await looked(broken, quick=False) == {("files", "import_run"): 1}
    await root.execute("DELETE FROM import_run WHERE tenant_id = $1", site.tenant)


async def test_a_role_that_does_not_see_all_rows_is_refused(broken: State, servers: ClusterUrls) -> None:
    """It would take every parent for gone, and --repair would delete the children."""
    blind = build_state(broken.settings.model_copy(update={"database_ops_url": broken.settings.database_url}))
    with pytest.raises(Forbidden):
        async with eyes(blind):
            pass


async def test_a_check_that_takes_too_long_is_not_finished_and_the_others_are(broken: State, site: Site) -> None:
    slow = Check("slow", f"SELECT 1 WHERE CASE WHEN $1::uuid = '{site.tenant}' THEN pg_sleep(60) IS NULL END")
    broken.registry.checks.append(slow)
    try:
        async with eyes(broken) as seen:
            await seen.conn.execute("SET statement_timeout = '3s'")
            report = await look(seen, quick=True)
            late = await look(seen, within=-1)
    finally:
        broken.registry.checks.remove(slow)
    assert not report.ok
    assert report.findings == []
    assert [one.partition(":")[0] for one in report.unfinished] == [f"slow of {site.tenant}"]
    assert late.checks == 0
    assert late.unfinished[0].startswith("out of time")


async def test_the_nightly_look_is_kept(broken: State, root: asyncpg.Connection, site: Site) -> None:
    await integrity(JobWork(broken, 1, "operate.integrity", None, 1, 5, asyncio.Semaphore(1)))
    kept: dict[str, Any] | None = await last(root)
    assert kept is not None
    assert (kept["kind"], kept["findings"], kept["unfinished"]) == ("nightly", 0, 0)
    assert kept["checks"] > 100


async def test_the_command_tells_plans_repairs_and_undoes_nothing_else(
    broken: State, servers: ClusterUrls, root: asyncpg.Connection, site: Site
) -> None:
    given: dict[str, object] = {**servers.environment(), "ZENA_DATA_DIR": str(broken.settings.data_dir)}
    await root.execute("UPDATE project_stats SET done = 77 WHERE project_id = $1", site.project)
    plan = zena("db", "check-integrity", "--quick", "--repair", module="zena", **given)
    assert plan.code == 64, plan.err
    assert "[recount]" in plan.out
    assert "nothing was changed" in plan.err
    found = zena("db", "check-integrity", "--quick", "--json", module="zena", **given)
    assert found.code == 1, found.err
    assert [one["check"] for one in json.loads(found.out)["findings"]] == ["invariant"]
    assert json.loads(found.out)["findings"][0]["sample"] == [str(site.project)]
    status = zena("status", module="zena", **given)
    assert "1 BROKEN: `zena db check-integrity`" in status.out
    done = zena("db", "check-integrity", "--quick", "--repair", "--yes", module="zena", **given)
    assert done.code == 0, done.err
    assert f"repaired: recount of firm {site.tenant}" in done.out


def test_a_report_lists_no_more_than_anybody_reads() -> None:
    from zena.operate.integrity.finding import LISTED, Finding

    at = datetime(2031, 1, 1, tzinfo=UTC)
    told = Report(new_id(), at, at, findings=[Finding("invariant", "x")] * (LISTED + 7)).as_json()
    assert (len(told["findings"]), told["findings_not_listed"], told["ok"]) == (LISTED, 7, False)


async def test_each_slice_brings_its_checks_under_names_of_their_own(state: State) -> None:
    names = [check.name for check in state.registry.checks]
    assert len(names) == len(set(names))
    assert {"project_stats", "tenant_head"} <= set(names)
    assert [type(one) for one in state.registry.files] == [StoredFiles]
