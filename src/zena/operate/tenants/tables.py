"""The tables that belong to firms, as the catalog has them: a table that a release adds is in here by itself."""

from dataclasses import dataclass
from typing import Final

from zena.kit.db import Raw

#: Not exported, each with its reason.
LEFT_OUT: Final = {
    "api_token": "a token would open two firms; new ones are made",
    "idempotency_key": "answers kept for a day",
    "ws_ticket": "good for seconds",
}
_TABLES: Final = """
SELECT c.relname::text AS name, format('%I.%I', n.nspname, c.relname) AS quoted,
       (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS listed,
       coalesce((SELECT array_agg(DISTINCT p.relname::text) FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid
         WHERE k.conrelid = c.oid AND k.contype = 'f'), '{}') AS parents
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = 'public'
   AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
 ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of firms. `quoted` and `listed` (its columns) are as the server writes them; `parents` may be itself."""

    name: str
    quoted: str
    columns: list[str]
    listed: str
    parents: list[str]

    @property
    def refers_to_itself(self) -> bool:
        return self.name in self.parents


async def tenant_tables(conn: Raw) -> list[Table]:
    """Return every table with a tenant, each after those it refers to."""
    waiting = {row["name"]: Table(**row) for row in await conn.fetch(_TABLES)}
    ordered: list[Table] = []
    while waiting:
        ready = [one for one in waiting.values() if not (set(one.parents) - {one.name}) & waiting.keys()]
        if not ready:
            raise RuntimeError(f"the tables {', '.join(sorted(waiting))} refer to each other in a circle")
        ordered += ready
        for table in ready:
            del waiting[table.name]
    return ordered


async def counts(conn: Raw, tenant: object) -> dict[str, int]:
    """Return how many rows a firm has in each table, without those where it has none."""
    found = {}
    for table in await tenant_tables(conn):
        many = await conn.fetchval(f"SELECT count(*) FROM {table.quoted} WHERE tenant_id = $1", tenant)  # noqa: S608 - a name that the catalog quoted
        if many:
            found[table.name] = many
    return found
