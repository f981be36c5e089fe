"""The indexes of one table; those of a partitioned table summed over its partitions."""

from difflib import get_close_matches
from typing import Any, Final

from zena.kit.db import Raw

_FIND: Final = """
SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname = $1 AND c.relname = $2
"""
_INDEXES: Final = """
WITH mine AS (
    SELECT x.indexrelid, x.indisvalid AND x.indisready AS valid, x.indisprimary, x.indisunique FROM pg_index x
     WHERE x.indrelid = $1),
leaves AS (
    SELECT m.indexrelid, coalesce(t.relid, m.indexrelid::regclass) AS leaf FROM mine m
      LEFT JOIN LATERAL pg_partition_tree(m.indexrelid) t ON t.isleaf)
SELECT i.relname AS index, pg_size_pretty(sum(pg_relation_size(l.leaf))) AS size,
       sum(pg_relation_size(l.leaf))::bigint AS bytes, coalesce(sum(s.idx_scan), 0)::bigint AS scans,
       to_char(max(s.last_idx_scan) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS last_used, bool_and(m.valid) AS valid,
       regexp_replace(pg_get_indexdef(m.indexrelid), '^CREATE (UNIQUE )?INDEX \\S+ ON (ONLY )?\\S+ ',
                      CASE WHEN m.indisprimary THEN 'primary key ' WHEN m.indisunique THEN 'unique ' ELSE '' END)
           AS definition
  FROM mine m JOIN leaves l USING (indexrelid) JOIN pg_class i ON i.oid = m.indexrelid
  LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = l.leaf
 GROUP BY m.indexrelid, m.indisprimary, m.indisunique, i.relname ORDER BY m.indisprimary DESC, i.relname
"""
_TABLES: Final = """
SELECT CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname IN ('public', 'ops', 'queue') ORDER BY 1
"""


async def indexes_of(conn: Raw, name: str) -> list[dict[str, Any]] | None:
    """Return the indexes of a table, primary key first; None if there is no such table."""
    schema, _, table = name.rpartition(".")
    oid = await conn.fetchval(_FIND, schema or "public", table)
    return None if oid is None else [dict(row) for row in await conn.fetch(_INDEXES, oid)]


async def tables_like(conn: Raw, name: str) -> list[str]:
    """Return tables whose names are near to this one."""
    names = [row["name"] for row in await conn.fetch(_TABLES)]
    return get_close_matches(name, names) or [known for known in names if name.lower() in known]
