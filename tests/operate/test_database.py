"""Plans as the application gets them, sessions without what people typed, indexes and costly statements."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.cli.run import zena
from tests.factories import Firm
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.database.activity import sessions
from zena.operate.database.indexes import indexes_of, tables_like
from zena.operate.database.plain import without_comments, without_values
from zena.operate.database.plans import NotASelect, Plan, held_back, marks, nodes, plan_of
from zena.operate.metrics.statements import costliest
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests


@pytest.mark.parametrize(
    ("statement", "plain"),
    [
        ("SELECT 'it''s', 1.5e3, $1 -- pass\nFROM t1", "SELECT ?, ?, $1 FROM t1"),
        (r"SELECT E'a\'b secret' , U&'x'", "SELECT ? , U&?"),
        ("SELECT $$secret$$, $a$ se'cret $a$", "SELECT ?, ?"),
        ('SELECT "a\'b" FROM "t" WHERE x = \'secret', 'SELECT "a\'b" FROM "t" WHERE x = ?'),
        ("SELECT /* secret */ 1", "SELECT ?"),
        ("SELECT /* cut off secret", "SELECT"),
        ("SELECT -42, .5, x[3]", "SELECT -?, ?, x[?]"),
        ("x" * 300, "x" * 117 + "..."),
    ],
)
def test_no_value_survives(statement: str, plain: str) -> None:
    assert without_values(statement) == plain


def test_comments_go_and_strings_stay() -> None:
    assert without_comments("/* a */ -- b\nSELECT '--c'") == "SELECT '--c'"


async def test_the_plan_is_that_of_the_application_role(urls: ClusterUrls, firm: Firm) -> None:
    conn = await asyncpg.connect(urls.app)
    try:
        plan = await plan_of(conn, "SELECT id FROM task WHERE tenant_id = $1 AND id = $2", firm.tenant)
        assert "current_setting" in json.dumps(plan.tree) or "InitPlan" in "\n".join(plan.text)
        assert any("$2" in line for line in plan.text)
        again = await plan_of(conn, "SELECT 1", firm.tenant)
        assert again.tree["Node Type"] == "Result"
        assert await conn.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name = 'zena_explained'") == 0
        assert await conn.fetchval("SELECT current_setting('app.tenant', true)") in {"", None}
    finally:
        await conn.close()


@pytest.mark.parametrize(
    "sql",
    [
        *("DELETE FROM label", "UPDATE label SET hue = 1", "", "DROP TABLE label", "EXECUTE x"),
        "-- SELECT\nTRUNCATE label",
        "WITH gone AS (DELETE FROM label RETURNING id) SELECT id FROM gone",
    ],
)  # fmt: skip
async def test_only_a_select_is_explained(urls: ClusterUrls, firm: Firm, sql: str) -> None:
    conn = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(NotASelect):
            await plan_of(conn, sql, firm.tenant)
    finally:
        await conn.close()


@pytest.mark.parametrize("sql", ["SELECT 1; DELETE FROM label", "SELECT 1; COMMIT; DELETE FROM label"])
async def test_a_second_statement_is_not_run(urls: ClusterUrls, firm: Firm, sql: str) -> None:
    conn = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await plan_of(conn, sql, firm.tenant)
        assert not conn.is_in_transaction()
    finally:
        await conn.close()


async def crowd(urls: ClusterUrls, firm: Firm) -> None:
    """Give a firm so many labels that reading them all costs more than an index, and let the planner know."""
    conn = await asyncpg.connect(urls.superuser)
    try:
        await conn.execute(
            "INSERT INTO label (tenant_id, id, name, name_key, hue)"
            " SELECT $1, gen_random_uuid(), md5(n::text), md5(n::text), 1 FROM generate_series(1, 3000) n",
            firm.tenant,
        )
        await conn.execute("ANALYZE label")
    finally:
        await conn.close()


async def test_what_row_security_keeps_out_of_an_index_is_marked(urls: ClusterUrls, firm: Firm) -> None:
    app, ops = await asyncpg.connect(urls.app), await asyncpg.connect(urls.ops)

    async def marked(condition: str) -> list[str]:
        sql = f"SELECT id FROM label WHERE tenant_id = $1 AND {condition}"  # noqa: S608 - fixed texts of this test
        held, free = [await plan_of(conn, sql, firm.tenant, through_indexes=True) for conn in (app, ops)]
        return await held_back(ops, held, free)

    try:
        await crowd(urls, firm)
        (mark,) = await marked("name_key LIKE 'ab%'")
        assert mark.startswith("label.name_key is indexed but filtered row by row")
        assert await marked("name_key = $2") == []
        assert await marked("hue = $2") == []
    finally:
        await app.close()
        await ops.close()


async def test_a_big_table_read_whole_is_marked(urls: ClusterUrls) -> None:
    conn = await asyncpg.connect(urls.superuser)
    move = conn.transaction()
    await move.start()
    try:
        plan = Plan([], {"Node Type": "Limit", "Plans": [{"Node Type": "Seq Scan", "Relation Name": "task"}]})
        assert [node["Node Type"] for node in nodes(plan.tree)] == ["Limit", "Seq Scan"]
        await conn.execute("UPDATE pg_class SET reltuples = 10000 WHERE relname = 'task'")
        assert await marks(conn, plan) == []
        await conn.execute("UPDATE pg_class SET reltuples = 20000 WHERE relname = 'task'")
        assert await marks(conn, plan) == ["all of task is read, about 20000 rows"]
    finally:
        await move.rollback()
        await conn.close()


async def test_who_waits_for_whom(urls: ClusterUrls) -> None:
    holder, waiter, reader = [
        await asyncpg.connect(url, server_settings={"application_name": name})
        for url, name in ((urls.ops, "holder"), (urls.ops, "waiter"), (urls.ops_read, "reader"))
    ]
    move = holder.transaction()
    await move.start()
    await holder.execute("LOCK TABLE ops.sli IN ACCESS EXCLUSIVE MODE")
    waiting = asyncio.create_task(waiter.execute("DELETE FROM ops.sli WHERE slo = 'a secret' AND total < 0"))
    try:
        async with asyncio.timeout(20):
            while not (blocked := [row for row in await sessions(reader, everything=False) if row["waits_for"]]):
                pass
        first = blocked[0]
        assert first["waits_for"] == (
            f"{holder.get_server_pid()} (zena_ops holder idle in transaction) for ops.sli"
        )  # fmt: skip
        assert first["pid"] == waiter.get_server_pid()
        assert first["who"] == "zena_ops waiter"
        assert first["statement"] == "DELETE FROM ops.sli WHERE slo = ? AND total < ?"
        background = {row["state"] for row in await sessions(reader, everything=True)}
        assert "background" in background
    finally:
        await move.rollback()
        await waiting
        for conn in (holder, waiter, reader):
            await conn.close()


async def test_indexes_of_plain_and_partitioned_tables(urls: ClusterUrls) -> None:
    conn = await asyncpg.connect(urls.ops_read)
    try:
        found = await indexes_of(conn, "label")
        assert found is not None
        assert (found[0]["index"], found[0]["valid"]) == ("pk_label", True)
        assert found[0]["definition"] == "primary key USING btree (tenant_id, id)"
        parted = await indexes_of(conn, "ops.point")
        assert parted is not None
        assert [one["index"] for one in parted] == ["pk_point"]
        assert parted[0]["bytes"] > 0
        for name in ("nothing", "a.b.c", "'; DROP TABLE label"):
            assert await indexes_of(conn, name) is None
        assert await tables_like(conn, "taks") == ["task"]
        assert "ops.point" in await tables_like(conn, "point")
    finally:
        await conn.close()


async def test_costly_statements_come_by_total_time(state: State, urls: ClusterUrls) -> None:
    at = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)  # a time of its own: the other tests measure the present
    made = Recorder(Requests(), at.timestamp)
    for _ in range(3):
        made.query("SELECT quick FROM t WHERE a = $1", 0.01)
    made.query("SELECT slow FROM t", 0.9)
    conn = await asyncpg.connect(urls.ops)
    try:
        await conn.execute("SET ROLE zena_owner")
        for parent in ("point", "request"):
            await conn.execute(
                f"CREATE TABLE ops.{parent}_20310506 PARTITION OF ops.{parent}"
                " FOR VALUES FROM ('2031-05-06 00:00+00') TO ('2031-05-07 00:00+00')"
            )
        await conn.execute("RESET ROLE")
        assert await Flusher(state, made, "test").flush()
        found = await costliest(conn, at, timedelta(hours=1), 2)
        assert [(row["text"], row["count"]) for row in found] == [
            ("SELECT slow FROM t", 1), ("SELECT quick FROM t WHERE a = $1", 3),
        ]  # fmt: skip
        assert await costliest(conn, at + timedelta(days=3), timedelta(minutes=5), 2) == []
    finally:
        await conn.execute("SET ROLE zena_owner")
        for parent in ("point", "request"):
            await conn.execute(f"DROP TABLE IF EXISTS ops.{parent}_20310506")
        await conn.close()


async def test_the_commands_answer_in_one_line_when_they_refuse(urls: ClusterUrls, firm: Firm) -> None:
    given: dict[str, object] = {**urls.environment()}
    plan = zena("db", "explain", "SELECT id FROM label", "--tenant", firm.slug, "--json", module="zena", **given)
    assert plan.code == 0, plan.err
    assert set(json.loads(plan.out)) == {"plan", "marks"}
    for arguments, code, told in [
        (("explain", "DELETE FROM label", "--tenant", str(firm.tenant)), 64, "only one SELECT is explained"),
        (("explain", "SELECT 1", "--tenant", "nobody"), 65, "there is no firm 'nobody'"),
        (("indexes", "taks"), 65, "there is no table 'taks'; there is task"),
    ]:
        refused = zena("db", *arguments, module="zena", **given)
        assert (refused.code, refused.err.count("\n")) == (code, 1), refused.err
        assert told in refused.err
