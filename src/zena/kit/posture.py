"""Whether the database is fit to hold tenants apart: the server's release and what the app role may do (A03, A12)."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg

from zena.kit.db import asyncpg_dsn
from zena.kit.roles import why_too_old
from zena.settings import Problem, SettingsError

_VARIABLE = "ZENA_DATABASE_URL"
_TIMEOUT = 10.0

_ROLE = """
SELECT current_user AS name, r.rolsuper, r.rolbypassrls, r.rolcreaterole,
       current_setting('server_version_num')::int AS version,
       current_setting('server_encoding') AS encoding,
       has_database_privilege(current_database(), 'TEMPORARY') AS may_temp,
       coalesce(has_schema_privilege('public', 'CREATE'), false) AS may_create,
       ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles o
              WHERE o.oid <> r.oid AND (o.rolsuper OR o.rolbypassrls) AND pg_has_role(r.oid, o.oid, 'MEMBER')
              ORDER BY 1) AS leads_to,
       ARRAY(SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                AND n.nspname NOT LIKE 'pg\\_%' AND pg_has_role(r.oid, c.relowner, 'MEMBER')
              ORDER BY 1 LIMIT 4) AS owns
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
"""


class DatabaseUnreachable(Exception):  # noqa: N818 - says what is
    """No connection to the database; the message says why, without the password."""


async def check_posture(url: str, *, head: str | None = None) -> None:
    """Refuse a database where row-level security would not hold the app role, or that is not at the revision `head`.

    Raises SettingsError with every finding, DatabaseUnreachable when there is no connection.
    """
    try:
        # Fit for a transaction pooler: no named statements, and below no statement outside of a transaction.
        connection = await asyncpg.connect(
            asyncpg_dsn(url), timeout=_TIMEOUT, command_timeout=_TIMEOUT, statement_cache_size=0
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachable(f"the database cannot be reached: {str(error) or type(error).__name__}") from error
    try:
        async with connection.transaction(readonly=True):
            problems = await posture_problems(connection)
            problems += [] if head is None else await _schema_problems(connection, head)
    finally:
        await connection.close(timeout=_TIMEOUT)
    if problems:
        raise SettingsError(problems)


async def posture_problems(connection: Any) -> list[Problem]:
    """Return what makes the role of this connection unfit to be the app's; empty when all is well."""
    row = await connection.fetchrow(_ROLE)
    findings = _superuser() if row["rolsuper"] else _ordinary(row)
    advice = "see `zena db bootstrap --print-sql`"
    problems = [Problem(_VARIABLE, f"the role {row['name']}, {found}", f"{want}; {advice}") for found, want in findings]
    if row["encoding"] != "UTF8":
        problems.append(Problem(_VARIABLE, f"a database in {row['encoding']}", "a database in UTF8"))
    old = why_too_old(row["version"])
    return [*problems, Problem(_VARIABLE, "an old server", old)] if old else problems


def head_on_disk(migrations: str) -> str | None:
    """Return this release's revision, read off the file names beside the migrations module (NNNN_what.py)."""
    spec = find_spec(migrations)
    folder = Path(spec.origin).parent / "versions" if spec and spec.origin else Path()
    return max((path.name.partition("_")[0] for path in folder.glob("[0-9]*_*.py")), default=None)


def _superuser() -> list[tuple[str, str]]:
    return [("a superuser", "a role that row-level security holds, such as zena_app")]


def _ordinary(row: Any) -> list[tuple[str, str]]:
    findings = (
        (row["rolbypassrls"], "with BYPASSRLS", "a role without BYPASSRLS"),
        (row["leads_to"], f"member of {', '.join(row['leads_to'])}", "no such membership"),
        (row["owns"], f"owner of {', '.join(row['owns'])}", "a role that owns no table"),
        (row["may_create"], "which may create in schema public", "no CREATE there"),
        (row["may_temp"], "which may create temporary tables", "no TEMPORARY"),
        (row["rolcreaterole"], "with CREATEROLE", "a role without CREATEROLE"),
    )
    return [(found, wanted) for is_so, found, wanted in findings if is_so]


async def _schema_problems(connection: Any, head: str) -> list[Problem]:
    try:
        current = await connection.fetchval("SELECT version_num FROM public.alembic_version")
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        current = None
    if current == head:
        return []
    found = f"a database at revision {current}" if current else "a database without our tables"
    newer = current is not None and current > head
    wanted = f"revision {head}: " + ("a newer release migrated it, install that one" if newer else "run `zena migrate`")
    return [Problem(_VARIABLE, found, wanted)]
