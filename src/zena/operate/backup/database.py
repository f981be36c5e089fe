"""Databases beside the one in use: dumped from it, filled, compared, given its name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg
from pydantic import SecretStr

from zena.kit.db import Raw, asyncpg_dsn
from zena.kit.exits import Exit
from zena.kit.posture import check_posture
from zena.kit.roles import checked_name, database_sql
from zena.operate.backup import tools
from zena.operate.backup.archive import Manifest
from zena.operate.backup.contents import check_same, reading
from zena.operate.backup.refusal import Refused
from zena.settings import Role, Settings

#: Of the archive's list, what a new database has already.
_THERE: Final = (" SCHEMA - public ", " SCHEMA - queue ", " DEFAULT ACL ")
_MAINTENANCE: Final = "postgres"
#: A superuser's session is not ours to end.
_TERMINATE: Final = """
SELECT count(pg_terminate_backend(a.pid)) FROM pg_catalog.pg_stat_activity a
  JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid AND NOT r.rolsuper
 WHERE a.datname = $1 AND a.backend_type = 'client backend'
"""
_EXISTS: Final = "SELECT true FROM pg_catalog.pg_database WHERE datname = $1"
_TAKEN: Final = (asyncpg.UniqueViolationError, asyncpg.DuplicateDatabaseError)
_PATIENCE: Final = 60.0


def beside(settings: Settings, name: str) -> Settings:
    """Return settings of another database of the same server."""
    urls = {"database_url" if role is Role.APP else f"database_{role}_url": settings.secret_url(role) for role in Role}
    there = {field: SecretStr(tools.in_database(url.get_secret_value(), name)) for field, url in urls.items() if url}
    return settings.model_copy(update=there)


async def dump(url: str, snapshot: str, target: Path) -> None:
    """Write the database as it was at a snapshot, in PostgreSQL's custom format."""
    arguments = ["--format=custom", "--exclude-schema=gate", f"--snapshot={snapshot}", "--lock-wait-timeout=60s"]
    await tools.run("pg_dump", url, *arguments, output=target)


@asynccontextmanager
async def fresh(settings: Settings, name: str) -> AsyncIterator[None]:
    """Make a database with our schemas and nothing in them; it is dropped again unless somebody renamed it."""
    try:
        await _make(settings, name)
    except _TAKEN:  # whoever was killed while making it left a statement that has only ended now
        await _make(settings, name)
    try:
        await tools.run("psql", beside(settings, name).dsn(Role.OPS), "-XqAt", script=database_sql(name))
        yield
    finally:
        await drop(settings, name)


async def _make(settings: Settings, name: str) -> None:
    make = f"CREATE DATABASE {checked_name(name)} TEMPLATE template0 ENCODING 'UTF8'"
    await drop(settings, name)
    async with _maintaining(settings) as conn:
        try:
            await conn.execute(make)  # allow: sql-literal - a name that needs no quoting
        except asyncpg.InsufficientPrivilegeError as error:
            raise Refused(
                "zena_owner may make no database to restore into: as administrator, ALTER ROLE zena_owner CREATEDB",
                Exit.PERMISSION,
            ) from error


async def fill(settings: Settings, name: str, folder: Path, dumped: Path, manifest: Manifest) -> None:
    """Restore a dump into a fresh database, all or nothing, and hold every table against the manifest."""
    new = beside(settings, name)
    url = new.dsn(Role.OPS)
    listed = (await tools.run("pg_restore", url, "--list", str(dumped))).decode()
    wanted = folder / "wanted.list"
    lines = [line for line in listed.splitlines() if not any(there in line for there in _THERE)]
    await asyncio.to_thread(wanted.write_text, "\n".join(lines) + "\n", encoding="utf-8")
    how = ["--role=zena_owner", "--no-owner", "--single-transaction", "--exit-on-error", f"--use-list={wanted}"]
    await tools.run("pg_restore", url, f"--dbname={name}", *how, str(dumped))
    async with reading(new.dsn(Role.BACKUP)) as conn:
        await check_same(conn, manifest)
    await check_posture(new.dsn())


async def drop(settings: Settings, name: str) -> None:
    """Drop a database of ours if it is there, ending what is connected to it."""
    async with _maintaining(settings) as conn, _emptying(settings, {name}):
        away = f"DROP DATABASE IF EXISTS {checked_name(name)}"
        await conn.execute(away)  # allow: sql-literal - a name that needs no quoting


async def named(settings: Settings, prefix: str) -> list[str]:
    """Return the databases whose name begins so, oldest first."""
    async with _maintaining(settings) as conn:
        rows = await conn.fetch("SELECT datname FROM pg_catalog.pg_database ORDER BY datname")
    return [row["datname"] for row in rows if row["datname"].startswith(prefix)]


async def swap(settings: Settings, *, new: str, former: str) -> None:
    """Give `new` the name of the database in use, which becomes `former`: both at once, or neither.

    Whoever is connected loses the connection and finds the new database at the next.
    """
    present = tools.name_of(settings.dsn())
    async with _maintaining(settings) as conn, _emptying(settings, {present, new}), conn.transaction():
        if await conn.fetchval(_EXISTS, present):
            await _rename(conn, present, former)
        await _rename(conn, new, present)


async def _rename(conn: Raw, name: str, to: str) -> None:
    # It locks out new connections, then waits 5 s for the present ones, which `_emptying` ends meanwhile.
    rename = f"ALTER DATABASE {checked_name(name)} RENAME TO {checked_name(to)}"
    await conn.execute(rename)  # allow: sql-literal - names that need no quoting


@asynccontextmanager
async def _emptying(settings: Settings, names: set[str]) -> AsyncIterator[None]:
    """End connections to these databases, again and again, for the duration."""
    conn = await _connected(settings)

    async def end_all() -> None:
        while True:
            for name in names:
                await conn.fetchval(_TERMINATE, name)
            await asyncio.sleep(0.05)

    ending = asyncio.create_task(end_all())
    try:
        yield
    except asyncpg.ObjectInUseError as error:
        raise Refused(f"{error.args[0]}: a superuser's session, which only its owner may end", Exit.RETRY) from error
    finally:
        ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending
        await conn.close(timeout=5)


@asynccontextmanager
async def _maintaining(settings: Settings) -> AsyncIterator[Raw]:
    """Open a connection as the owner, beside the databases in question."""
    conn = await _connected(settings)
    try:
        await conn.execute("SET ROLE zena_owner")
        yield conn
    finally:
        await conn.close(timeout=5)


async def _connected(settings: Settings) -> Raw:
    url = tools.in_database(settings.dsn(Role.OPS), _MAINTENANCE)
    session = {"application_name": "zena-backup", "statement_timeout": "0"}
    return await asyncpg.connect(asyncpg_dsn(url), timeout=10, command_timeout=_PATIENCE, server_settings=session)
