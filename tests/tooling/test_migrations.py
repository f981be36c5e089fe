"""The lock check passes what is harmless on a table in use and finds what is not."""

import pytest

from scripts.migrations import judge, offline_sql, revisions

SCRIPT = """BEGIN;
CREATE TABLE alembic_version (version_num VARCHAR(32));
-- Running upgrade  -> 0001
CREATE TABLE task (id bigint);
UPDATE alembic_version SET version_num='0001';
-- Running upgrade 0001 -> 0002_more, later
ALTER TABLE task ADD COLUMN note text;
COMMIT;
"""


def test_a_script_is_split_at_its_revisions() -> None:
    found = revisions(SCRIPT)
    assert list(found) == ["0001", "0002_more"]
    assert "alembic_version (" not in "".join(found.values())
    assert "COMMIT" not in found["0002_more"]


def test_every_migration_of_this_repository_can_be_written_as_sql() -> None:
    assert revisions(offline_sql())


def test_harmless() -> None:
    assert list(judge("9999", "ALTER TABLE task ADD COLUMN note text;")) == []


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE task ALTER COLUMN note SET NOT NULL;",
        "CREATE INDEX ix_task_note ON task (note);",
        "ALTER TABLE task DROP COLUMN note;",
        "ALTER TABLE task RENAME COLUMN note TO remark;",
        "ALTER TABLE task ALTER COLUMN id TYPE text;",
        "ALTER TABLE task ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES project (id);",
    ],
)
def test_harmful(sql: str) -> None:
    assert list(judge("9999", sql))
