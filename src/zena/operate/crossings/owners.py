"""Which firms have an id or a key: asked as zena_ops, past every fence. Ids alone, nothing of what is in the rows."""

import re
from collections.abc import Collection
from typing import Final
from uuid import UUID

from zena.kit.db import Raw

_KEY: Final = re.compile(r"([A-Z][A-Z0-9]{1,9})(?:-([0-9]{1,15}))?")
#: Every table whose rows are addressed by firm and id; one that a release adds is in here by itself.
_TABLES: Final = """
SELECT format('%I.%I', n.nspname, c.relname) AS quoted
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'p' AND n.nspname = 'public' AND NOT c.relispartition AND c.relname NOT IN ('event', 'audit_entry')
   AND (SELECT array_agg(a.attname::text ORDER BY u.ord) FROM unnest(k.conkey) WITH ORDINALITY AS u (num, ord)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.num) = '{tenant_id,id}'
   AND EXISTS (SELECT FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attname = 'id' AND a.atttypid = 'uuid'::regtype)
 ORDER BY c.relname
"""
_IN_TABLE: Final = """
SELECT w.id, x.tenant_id AS owner FROM tenant t CROSS JOIN unnest($1::uuid[]) AS w (id)
  JOIN {} x ON x.tenant_id = t.id AND x.id = w.id WHERE t.plan <> 'probe'"""
_FIRMS: Final = "SELECT t.id, t.id AS owner FROM tenant t WHERE t.id = ANY ($1::uuid[]) AND t.plan <> 'probe'"
#: A firm that has the project at all owns the key, whether or not it has a task of that number.
_BY_KEY: Final = """
SELECT w.project, w.number, p.tenant_id AS owner,
       w.number IS NULL OR EXISTS (SELECT FROM task x WHERE x.tenant_id = p.tenant_id AND x.project_id = p.id
                                      AND x.number = w.number) AS whole
  FROM unnest($1::text[], $2::bigint[]) AS w (project, number)
  JOIN project p ON p.key = w.project JOIN tenant t ON t.id = p.tenant_id AND t.plan <> 'probe'
"""


async def owners_of_ids(conn: Raw, ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Return the firms that have each id, in whatever table; ids that nobody has are left out."""
    tables = [row["quoted"] for row in await conn.fetch(_TABLES)]
    rows = await conn.fetch("\nUNION ALL ".join([_FIRMS, *map(_IN_TABLE.format, tables)]), list(ids))
    found: dict[UUID, set[UUID]] = {}
    for row in rows:
        found.setdefault(row["id"], set()).add(row["owner"])
    return found


async def owners_of_keys(conn: Raw, keys: Collection[str]) -> dict[str, dict[UUID, bool]]:
    """Return the firms that have each key's project, and whether they have the task of that number too."""
    parts = {key: part for key in keys if (part := _KEY.fullmatch(key))}
    values = [part[1] for part in parts.values()], [part[2] and int(part[2]) for part in parts.values()]
    found: dict[str, dict[UUID, bool]] = {}
    for row in await conn.fetch(_BY_KEY, *values):
        key = row["project"] if row["number"] is None else f"{row['project']}-{row['number']}"
        found.setdefault(key, {})[row["owner"]] = row["whole"]
    return found
