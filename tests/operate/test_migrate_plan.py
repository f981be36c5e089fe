"""`zena migrate --plan`: every statement, whom it keeps waiting, and nothing done."""

import json
from pathlib import Path

import pytest

from tests.cli.run import zena
from tests.kit.pg import FAST, ask, open_folder
from zena.kit.embedded import EmbeddedPostgres
from zena.migrations.plan import _step, statements, steps
from zena.migrations.run import head


def test_a_semicolon_inside_of_quotes_ends_no_statement() -> None:
    script = """
    BEGIN;
    -- a remark; with a semicolon
    INSERT INTO a VALUES ('it''s; fine', "odd;name");
    CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN RETURN 1; END $body$;
    /* another; */ SELECT 1;
    COMMIT;
    SELECT 2
    """
    found = list(statements(script))
    assert [one.split()[0] for one in found] == ["--", "CREATE", "/*", "SELECT"]
    assert found[1].endswith("END $body$")


@pytest.mark.parametrize(
    ("sql", "table", "lock"),
    [
        ("ALTER TABLE task ADD COLUMN x text", "task", "blocks reading and writing"),
        ("ALTER TABLE task VALIDATE CONSTRAINT c", "task", "blocks other changes of the schema"),
        ("CREATE INDEX ix ON task (title)", "task", "blocks writing"),
        ("CREATE UNIQUE INDEX CONCURRENTLY ix ON task (a)", "task", "waits for running transactions, blocks nobody"),
        ("-- why\nUPDATE task\n SET title = ''", "task", "blocks writing of the rows it touches"),
        ("DROP TABLE IF EXISTS task", "task", "blocks reading and writing"),
        ("CREATE TABLE x (t uuid REFERENCES task (id))", "task", "blocks writing, being pointed at"),
        ("CREATE TABLE fresh2 (t uuid REFERENCES fresh (id))", "", ""),
        ("ALTER TABLE fresh ADD COLUMN x text", "fresh", ""),
        ("GRANT SELECT ON task TO zena_app", "", ""),
    ],
)
def test_whom_a_statement_keeps_waiting(sql: str, table: str, lock: str) -> None:
    found = _step("0001", sql, {"fresh", "fresh2"})
    assert (found.table, found.lock) == (table, lock)


def test_the_plan_of_this_release_names_every_revision_and_is_empty_at_its_head() -> None:
    found = steps(None, head())
    assert {step.revision for step in found} >= {"0001", "0005", head()}
    assert steps(head(), head()) == []


def test_a_plan_changes_nothing_and_what_it_says_is_then_done(tmp_path: Path) -> None:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, options=FAST)
        server.start()
        try:
            urls = server.create_database("planned")
            here = {"ZENA_DATA_DIR": tmp_path, **urls.environment()}
            ran = zena("migrate", "--plan", module="zena", **here)
            assert (ran.code, "at nothing, this release is" in ran.out) == (0, True)
            assert "CREATE TABLE ops.maintenance" in ran.out
            assert ask(urls.owner, "SELECT to_regclass('public.alembic_version') IS NULL")
            done = json.loads(zena("migrate", "--json", module="zena", **here).out)
            planned = json.loads(zena("migrate", "--plan", "--json", module="zena", **here).out)
            assert (done["to"], planned["pending"], planned["statements"]) == (head(), [], [])
            rows = "SELECT string_agg(what, ',') FROM ops.change WHERE kind = 'migration'"
            assert ask(urls.ops, rows) == f"schema at {head()}"
            assert zena("migrate", module="zena", **here).code == 0
            assert ask(urls.ops, rows) == f"schema at {head()}"
        finally:
            server.stop()
