"""Indexes against their tables: the keys read through the index must be those that lie in the table.

The embedded server has no amcheck. Both are read in one snapshot; an index-only scan takes the keys from the index.
"""

import json
from dataclasses import dataclass
from typing import Final

from zena.kit.db import Raw
from zena.operate.integrity.finding import Finding

_INDEXES: Final = """
SELECT format('%I.%I', n.nspname, t.relname) AS table, t.relname::text AS table_name, i.relname::text AS index,
       coalesce(pg_get_expr(x.indpred, x.indrelid), 'true') AS predicate,
       string_agg(pg_get_indexdef(x.indexrelid, g.k, true), ', ' ORDER BY g.k) AS keys,
       string_agg(pg_get_indexdef(x.indexrelid, g.k, true)
                  || CASE WHEN x.indoption[g.k - 1] & 1 = 1 THEN ' DESC' ELSE '' END
                  || CASE WHEN x.indoption[g.k - 1] & 2 = 2 THEN ' NULLS FIRST' ELSE ' NULLS LAST' END,
                  ', ' ORDER BY g.k) AS sorted
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am a ON a.oid = i.relam
  JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
 CROSS JOIN LATERAL generate_series(1, x.indnkeyatts) AS g (k)
 WHERE a.amname = 'btree' AND x.indisvalid AND i.relkind = 'i' AND t.relkind = 'r' AND n.nspname = 'public'
 GROUP BY x.indexrelid, x.indpred, x.indrelid, n.nspname, t.relname, i.relname
 ORDER BY t.relname, i.relname
"""
_SUM: Final = "count(*) AS n, coalesce(sum(hashtextextended(q::text, 0)::numeric), 0) AS sum"
#: Only a scan in the order of the index is cheap then; what remains switched on is the way through the index.
_THROUGH_INDEX: Final = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;"
    " SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_indexscan = on"
)
_THROUGH_TABLE: Final = (
    "SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexscan = off;"
    " SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_sort = on"
)


@dataclass(frozen=True, slots=True)
class Index:
    """A B-tree: its keys, order and condition as SQL of the server's own making."""

    table: str
    table_name: str
    index: str
    predicate: str
    keys: str
    sorted: str


async def indexes(conn: Raw) -> list[Index]:
    return [Index(**row) for row in await conn.fetch(_INDEXES)]


async def compare(conn: Raw, index: Index) -> list[Finding] | None:
    """Return whether an index disagrees with its table; None where the planner would not read this index."""
    inner = f"SELECT {index.keys} FROM {index.table} WHERE {index.predicate}"  # noqa: S608 - names and expressions that the catalog quoted
    ordered = f"SELECT {_SUM} FROM ({inner} ORDER BY {index.sorted} OFFSET 0) q"  # noqa: S608 - same
    plain = f"SELECT {_SUM} FROM ({inner} OFFSET 0) q"  # noqa: S608 - same
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        await conn.execute("SET LOCAL statement_timeout = '10min'")
        await conn.execute(_THROUGH_INDEX)
        # allow: sql-literal - the statement made above
        plan = await conn.fetchval(f"EXPLAIN (FORMAT JSON, COSTS OFF) {ordered}")
        if not _reads(plan, index.index):
            return None
        through = await conn.fetchrow(ordered)
        await conn.execute(_THROUGH_TABLE)
        table = await conn.fetchrow(plain)
    if tuple(through) == tuple(table):
        return []
    told = f"{table['n']} rows in the table, {through['n']} through the index"
    advice = f"REINDEX INDEX CONCURRENTLY {index.index}"
    missing = max(1, abs(table["n"] - through["n"]))
    return [Finding("index", f"{index.table_name}: {index.index}", missing, [told], advice=advice)]


def _reads(plan: object, name: str) -> bool:
    text = plan if isinstance(plan, str) else json.dumps(plan)
    return f'"Index Name": "{name}"' in text
