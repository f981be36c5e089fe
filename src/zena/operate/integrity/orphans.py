"""Rows whose parent is gone, for every foreign key there is.

A validated foreign key proves nothing: with triggers off a parent can be deleted, and VALIDATE then succeeds.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from zena.kit.db import Raw
from zena.operate.integrity.finding import NAMED, Finding

_KEYS: Final = """
SELECT k.conname::text AS name, c.relname::text AS child_name, format('%I.%I', cn.nspname, c.relname) AS child,
       format('%I.%I', pn.nspname, p.relname) AS parent, k.confdeltype = 'c' AS cascades,
       string_agg(format('c.%I IS NOT NULL', ca.attname), ' AND ' ORDER BY u.ord) AS present,
       string_agg(format('p.%I = c.%I', pa.attname, ca.attname), ' AND ' ORDER BY u.ord) AS matched,
       string_agg(format('c.%I', ca.attname), ', ' ORDER BY u.ord) AS columns,
       string_agg(format('%I = NULL', ca.attname), ', ' ORDER BY u.ord) FILTER (WHERE NOT ca.attnotnull) AS blanked,
       EXISTS (SELECT FROM pg_constraint r WHERE r.contype = 'f' AND r.confrelid = k.conrelid) AS is_parent
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
  JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
 CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS u (ck, pk, ord)
  JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = u.ck
  JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = u.pk
 WHERE k.contype = 'f' AND k.conparentid = 0
 GROUP BY k.oid, k.conname, k.conrelid, k.confrelid, k.confdeltype, cn.nspname, c.relname, pn.nspname, p.relname
 ORDER BY c.relname, k.conname
"""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key as parts of SQL, names quoted by the server; `c` is the child, `p` the parent."""

    name: str
    child_name: str
    child: str
    parent: str
    cascades: bool
    present: str
    matched: str
    columns: str
    blanked: str | None
    is_parent: bool

    @property
    def lost(self) -> str:
        """The condition of a child `c` without its parent."""
        return f"{self.present} AND NOT EXISTS (SELECT FROM {self.parent} p WHERE {self.matched})"

    @property
    def repair(self) -> str | None:
        """What the key itself would have done, where that touches no third row; else nothing is done."""
        if self.blanked:
            return "clear the reference"
        return "delete the rows" if self.cascades and not self.is_parent else None


async def foreign_keys(conn: Raw) -> list[ForeignKey]:
    return [ForeignKey(**row) for row in await conn.fetch(_KEYS)]


async def find_orphans(conn: Raw, key: ForeignKey) -> list[Finding]:
    """Return what is broken about one key. The connection must see all rows, or every parent looks gone."""
    rows = await conn.fetch(
        f"SELECT count(*) OVER () AS n, concat_ws(' ', 'no', {key.columns}) AS lost FROM {key.child} c"  # noqa: S608 - names that the catalog quoted
        f" WHERE {key.lost} ORDER BY lost LIMIT {NAMED}"
    )
    if not rows:
        return []
    advice = "" if key.repair else f"bring the parent back from a backup (table {key.parent})"
    sample = [row["lost"] for row in rows]
    return [Finding("orphans", f"{key.child_name}: {key.name}", rows[0]["n"], sample, repair=key.repair, advice=advice)]


async def repair_orphans(conn: Raw, key: ForeignKey, run_id: UUID) -> int:
    """Copy the orphans of a key away, then delete them or clear their reference; return how many."""
    # allow: sql-literal - names that the catalog quoted
    await conn.execute(f"LOCK TABLE {key.child} IN SHARE ROW EXCLUSIVE MODE")
    kept = await conn.fetch(
        "INSERT INTO ops.integrity_undo (run_id, relation, repair, tenant_id, row_before)"  # noqa: S608 - same
        " SELECT $1, $2, $3, (to_jsonb(c) ->> 'tenant_id')::uuid, to_jsonb(c)"
        f" FROM {key.child} c WHERE {key.lost} RETURNING position",
        run_id,
        key.child,
        f"{key.name}: {key.repair}",
    )
    if key.blanked:
        await conn.execute(f"UPDATE {key.child} c SET {key.blanked} WHERE {key.lost}")  # noqa: S608 - same
    else:
        await conn.execute(f"DELETE FROM {key.child} c WHERE {key.lost}")  # noqa: S608 - same
    return len(kept)
