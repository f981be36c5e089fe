"""What a database holds, in a form that two databases can be compared by."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from zena.kit.db import Raw, asyncpg_dsn
from zena.operate.backup.archive import Fences, Manifest, Table, is_content
from zena.operate.backup.refusal import Refused

#: Rows are compared as text, so nothing that text depends on may differ.
_SESSION: Final = {
    "application_name": "zena-backup", "timezone": "UTC", "datestyle": "ISO, MDY", "intervalstyle": "postgres",
    "extra_float_digits": "1", "bytea_output": "hex", "search_path": "public", "row_security": "off",
    "statement_timeout": "0", "lock_timeout": "60000", "idle_in_transaction_session_timeout": "0",
}  # fmt: skip
#: The schema gate holds functions only, and is laid by the migrations.
_TABLES: Final = """
SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'gate') AND n.nspname NOT LIKE 'pg\\_%'
 ORDER BY 1
"""
#: TABLE stands for a name of the list above, quoted by the server. The sum is the same in whatever order rows come.
_CONTENT: Final = """
SELECT count(*) AS rows, coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text AS digest
  FROM ONLY TABLE t
"""
_FENCES: Final = """
SELECT (SELECT count(*) FROM pg_catalog.pg_policies WHERE schemaname = 'public') AS policies,
       (SELECT count(*) FROM pg_catalog.pg_class WHERE relrowsecurity AND relforcerowsecurity) AS forced,
       (SELECT count(*) FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
         WHERE a.grantee = 'zena_app'::regrole AND c.relkind IN ('r', 'p', 'S'))
     + (SELECT count(*) FROM pg_catalog.pg_attribute c, aclexplode(c.attacl) a
         WHERE a.grantee = 'zena_app'::regrole) AS grants
"""


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[Raw]:
    """Open one consistent, read-only view of a database, as the backup role."""
    conn = await asyncpg.connect(asyncpg_dsn(url), timeout=10, server_settings=_SESSION)
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn
    finally:
        await conn.close(timeout=10)


async def tables_of(conn: Raw) -> dict[str, Table]:
    """Count and digest every table of ours; partitions one by one."""
    found = {}
    for row in await conn.fetch(_TABLES):
        told = await conn.fetchrow(_CONTENT.replace("TABLE", row["name"]))
        found[row["name"]] = Table(told["rows"], told["digest"])
    return found


async def fences_of(conn: Raw) -> Fences:
    return Fences(**await conn.fetchrow(_FENCES))


async def revision_of(conn: Raw) -> str | None:
    """Return the revision of the schema, None where there is none of ours."""
    if await conn.fetchval("SELECT to_regclass('public.alembic_version')") is None:
        return None
    found: str | None = await conn.fetchval("SELECT version_num FROM public.alembic_version")
    return found


async def check_same(conn: Raw, manifest: Manifest) -> None:
    """Raise Refused unless a restored database holds what the archive's manifest says, row for row."""
    found = await tables_of(conn)
    for name in sorted(manifest.tables.keys() | found.keys()):
        was, is_now = manifest.tables.get(name), found.get(name)
        if was is None or is_now is None:
            raise Refused(f"the table {name} {'is' if was is None else 'is not'} in the restored database")
        if was.rows != is_now.rows:
            raise Refused(f"{name} had {was.rows} rows when it was backed up, and {is_now.rows} came back")
        if was.digest != is_now.digest:
            raise Refused(f"rows of {name} are not what they were when it was backed up")
    if await fences_of(conn) != manifest.fences:
        raise Refused("policies or grants that keep firms apart did not come back")


async def counts(url: str) -> dict[str, int]:
    """Return the rows of each content table of a database, none where our tables are not there."""
    async with reading(url) as conn:
        if await revision_of(conn) is None:
            return {}
        return {name.removeprefix("public."): t.rows for name, t in (await tables_of(conn)).items() if is_content(name)}
