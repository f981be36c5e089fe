"""Alembic's entry: knows all slices' tables; online on a connection that run.py hands over, offline for `--sql`."""

from typing import Any

from alembic import context

from zena.migrations.tables import metadata


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "schema" or name in {None, "public"}


def main() -> None:
    options: dict[str, Any] = {"target_metadata": metadata, "include_name": include_name, "compare_type": True}
    connection = context.config.attributes.get("connection")
    if connection is None:
        context.configure(dialect_name="postgresql", literal_binds=True, as_sql=True, **options)
        with context.begin_transaction():
            context.run_migrations()
        return
    context.configure(connection=connection, transaction_per_migration=True, **options)
    with context.begin_transaction():
        context.run_migrations()


main()
