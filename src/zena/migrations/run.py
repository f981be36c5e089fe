"""Bringing a database to this release's schema, once at a time, and telling whether it is there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from zena.kit.db import asyncpg_dsn, set_json_codecs, sqlalchemy_url

HERE = Path(__file__).parent
#: One migration at a time over all machines; released when its connection closes.
LOCK = 0x5A454E41


class SchemaError(Exception):
    """The database's schema is not one this release can use."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where the database is (None: empty) and where this release is."""

    current: str | None
    head: str

    @property
    def is_current(self) -> bool:
        return self.current == self.head


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(HERE))
    return made


def head() -> str:
    """Return this release's revision."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise SchemaError("this release has no migrations")
    return revision


async def upgrade(owner_url: str, ops_url: str) -> SchemaState:
    """Migrate as the owner, then lay the gate functions as the operations role. Safe to call twice at once.

    The app role may read afterwards which revision it stands on.
    """
    from zena.operate.changes import note_revision  # noqa: PLC0415 - loads a slice; only migrations need that

    await _online(owner_url, _upgrade)
    connection = await asyncpg.connect(asyncpg_dsn(ops_url))
    try:
        await set_json_codecs(connection)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            await connection.execute((HERE / "gate.sql").read_text())
            await connection.execute("SET LOCAL ROLE zena_owner")
            await connection.execute("SELECT ops.make_partitions(14)")
            await connection.execute("RESET ROLE")
            await note_revision(connection)
    finally:
        await connection.close()
    return await state(owner_url)


async def state(owner_url: str) -> SchemaState:
    """Return the revision in the database and this release's."""
    return SchemaState(await _online(owner_url, _current), head())


async def drift(owner_url: str) -> list[Any]:
    """Return the differences between the tables in the code and those in the database; empty when all is well."""
    found: list[Any] = await _online(owner_url, lambda connection: compare_metadata(_context(connection), _metadata()))
    return found


async def _online(url: str, work: Any) -> Any:
    engine = create_async_engine(sqlalchemy_url(url), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
    connection.exec_driver_sql("SET lock_timeout = '2s'")
    connection.exec_driver_sql("SET statement_timeout = '10min'")
    connection.commit()
    _refuse_newer(connection)
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
    connection.exec_driver_sql("GRANT SELECT ON alembic_version TO zena_app")
    connection.commit()


def _refuse_newer(connection: Connection) -> None:
    current = _current(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    connection.rollback()
    if current is not None and current not in known:
        raise SchemaError(f"the database is at revision {current}, which this release does not know: it is newer")


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"compare_type": True})


def _metadata() -> Any:
    from zena.migrations.tables import metadata  # noqa: PLC0415 - loads every slice; only migrations need that

    return metadata
