"""Indexes whose making was broken off: made anew beside what goes on, or dropped where they are leftovers."""

import re
from collections.abc import Mapping
from typing import Any, Final

from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look

#: Making one may take long, seconds; nothing is blocked by it meanwhile.
_LONG: Final = 3600.0
#: What REINDEX CONCURRENTLY leaves of one when it is broken off, as PostgreSQL's manual says.
_LEFT: Final = re.compile(r"_cc(new|old)\d*\"?$")
_BROKEN: Final = """
SELECT x.indexrelid::regclass::text AS name, x.indrelid::regclass::text AS of, greatest(c.reltuples, 0)::bigint AS rows
  FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
 WHERE NOT (x.indisvalid AND x.indisready AND x.indislive) AND pg_get_userbyid(c.relowner) = 'zena_owner'
   AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid)
 ORDER BY name
"""


async def _plan(look: Look, target: Target) -> Plan:
    broken = await look.conn.fetch(_BROKEN)
    if not broken:
        raise Refused(f"every index of ours is whole, or is being made: {target.reading.says}")
    left = {row["name"] for row in broken if _LEFT.search(row["name"])}
    effects = [
        f"drop {row['name']} of {row['of']}, which a break left"
        if row["name"] in left
        else f"make {row['name']} of {row['of']} anew while work goes on"
        for row in broken
    ]
    statements = {
        row["name"]: f"{'DROP INDEX' if row['name'] in left else 'REINDEX INDEX'} CONCURRENTLY {row['name']}"
        for row in broken
    }
    touches = {"indexes": len(broken), "rows read": sum(row["rows"] for row in broken if row["name"] not in left)}
    return Plan({"statements": statements}, effects, touches, "none: an index that is whole serves what it should")


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    await look.conn.execute("SET ROLE zena_owner; SET statement_timeout = 0")
    for statement in acts_on["statements"].values():
        tell(statement)
        await look.conn.execute(statement, timeout=_LONG)


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return not {*acts_on["statements"]} & {row["name"] for row in await look.conn.fetch(_BROKEN)}


REBUILD_INDEX: Final = Remedy(
    "rebuild_index", "make an index anew that was not finished", frozenset({("X2", "broken_index")}),
    Risk.INFRASTRUCTURE, _plan, _apply, _gone,
)  # fmt: skip
