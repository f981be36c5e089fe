"""The fence every new tenant table gets in the migration that makes it: row-level security and column grants."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic import op

#: The second half of the wrapped policy; unset and empty both mean no rows.
TENANT = "(SELECT nullif(current_setting('app.tenant', true), '')::uuid)"
PERSON = "(SELECT nullif(current_setting('app.user', true), '')::uuid)"


def fence(table: str, *, updates: Sequence[str] | None, deletes: bool = False, column: str = "tenant_id") -> None:
    """Enable and force row-level security on a tenant table and grant the app role what it needs.

    `updates` names the columns the app may change (None: insert only); the tenant column is never among them.
    """
    policy(table, f"{column} = {TENANT}")
    grant(table, updates=updates, deletes=deletes)


def policy(table: str, rule: str, *, name: str = "tenant", command: str = "ALL") -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    check = "" if command in {"SELECT", "DELETE"} else f" WITH CHECK ({rule})"
    using = "" if command == "INSERT" else f" USING ({rule})"
    op.execute(f"CREATE POLICY {name} ON {table} FOR {command}{using}{check}")


def grant(table: str, *, updates: Sequence[str] | None, deletes: bool = False) -> None:
    op.execute(f"GRANT SELECT, INSERT{', DELETE' if deletes else ''} ON {table} TO zena_app")
    if updates:
        op.execute(f"GRANT UPDATE ({', '.join(updates)}) ON {table} TO zena_app")


def run_sql(name: str) -> None:
    """Run a file of plain DDL that stands beside the migration."""
    run_text((Path(__file__).parent / "versions" / name).read_text())


def run_text(script: str) -> None:
    """Run several statements at once: that needs the simple protocol, which SQLAlchemy does not speak."""
    if op.get_context().as_sql:
        op.get_context().impl.static_output(script)
        return
    bind = op.get_bind()
    # The driver begins a transaction with the first statement it sees. What goes past it before that would be committed
    # at once, and a migration that is killed before its number is written could never be run again.
    bind.exec_driver_sql("SELECT 1")
    driver: Any = bind.connection.dbapi_connection
    driver.run_async(lambda connection: connection.execute(script))
