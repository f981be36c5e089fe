"""Figures of the planner, and the index that a slow statement lacks."""

import re
from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from zena.kit.db import dialled
from zena.operate.database import plans
from zena.operate.metrics.statements import known
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms import b1_slow_queries
from zena.operate.symptoms.contract import Look

#: Building may take long, seconds; nothing is blocked by it meanwhile.
_LONG: Final = 3600.0
_MOST_COLUMNS: Final = 2
_OURS: Final = "ix_remedy_"
_TABLE: Final = """
SELECT greatest(c.reltuples, 0)::bigint AS rows, pg_size_pretty(pg_relation_size(c.oid)) AS size,
       c.relkind = 'r' AS plain,
       pg_get_userbyid(c.relowner) = 'zena_owner' AS ours,
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = c.oid) AS building
  FROM pg_class c WHERE c.relname = $1 AND c.relnamespace = 'public'::regnamespace
"""
# An operator that is not leakproof is kept out of an index by row-level security: such a column would serve nobody.
_COLUMNS: Final = """
SELECT a.attname::text AS name, a.attnum AS number FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relname = $1 AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
   AND EXISTS (SELECT FROM pg_operator o JOIN pg_proc f ON f.oid = o.oprcode
                WHERE o.oprname = '=' AND o.oprleft = a.atttypid AND o.oprright = a.atttypid AND f.proleakproof)
 ORDER BY a.attnum
"""
_STATEMENTS: Final = """
SELECT format('CREATE INDEX CONCURRENTLY %I ON public.%I (%s)', $1::text, $2::text,
              (SELECT string_agg(format('%I', one), ', ' ORDER BY at)
                 FROM unnest($3::text[]) WITH ORDINALITY u (one, at)))
         AS build, format('DROP INDEX CONCURRENTLY IF EXISTS public.%I', $1::text) AS drop
"""
_VALID: Final = """
SELECT x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
 WHERE c.relname = $1 AND c.relnamespace = 'public'::regnamespace
"""
_ANALYZE: Final = "SELECT format('ANALYZE public.%I', one) FROM unnest($1::text[]) AS one ORDER BY one"


async def _evidence(look: Look, target: Target, cause: str) -> Mapping[str, Any]:
    diagnosis = await b1_slow_queries.diagnose(look, target.reading)
    found = next((one for one in diagnosis.causes if one.cause == cause), None)
    if found is None:
        raise Refused(f"{cause} is not what is behind it just now: `zena runbook diagnose B1`")
    return {"evidence": found.evidence}


async def _plan_analyze(look: Look, target: Target) -> Plan:
    told = await _evidence(look, target, "stale_statistics")
    tables = sorted({one.says.partition(":")[0] for one in told["evidence"]})
    rows = [row for table in tables for row in await look.conn.fetch(_TABLE, table) if row["ours"]]
    if len(rows) < len(tables):
        raise Refused(f"{', '.join(tables)}: not tables of ours")
    effects = [f"read a sample of {', '.join(tables)} and renew the planner's figures; nobody waits for it"]
    return Plan({"tables": tables}, effects, {"tables": len(tables), "rows": sum(row["rows"] for row in rows)},
                "none: the figures become truer")  # fmt: skip


async def _analyze(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    await look.conn.execute("SET ROLE zena_owner")
    for (statement,) in await look.conn.fetch(_ANALYZE, acts_on["tables"]):
        await look.conn.execute(statement)
        tell(statement)


async def _analyzed(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return not await look.conn.fetch(b1_slow_queries.STALE, acts_on["tables"])


async def _plan_index(look: Look, target: Target) -> Plan:
    table, condition = await _whole_table(look, target)
    row = await look.conn.fetchrow(_TABLE, table)
    if row is None or not row["ours"] or not row["plain"]:
        raise Refused(f"{table} is no plain table of ours: an index on it is a migration's work")
    if row["building"]:
        raise Refused(f"an index on {table} is being built already: wait for it")
    compared = [one["name"] for one in await look.conn.fetch(_COLUMNS, table) if _equal(condition, one["name"])]
    columns = [one for one in compared if one != "tenant_id"][:_MOST_COLUMNS]
    if not columns:
        raise Refused(f"no index serves it: {table} is filtered by nothing that row-level security lets into one")
    name = f"{_OURS}{table}_{'_'.join(columns)}"[:63]
    if await look.conn.fetchval(_VALID, name):
        raise Refused(f"{name} exists already and is not used: `zena db explain` says why")
    made = await look.conn.fetchrow(_STATEMENTS, name, table, ["tenant_id", *columns])
    effects = [f"{made['build']}: reads {table} ({row['size']}) twice, and keeps nobody from writing"]
    acts_on = {"index": name, "build": made["build"], "drop": made["drop"]}
    return Plan(acts_on, effects, {"rows read": row["rows"]}, made["drop"])


def _equal(condition: str, column: str) -> bool:
    return re.search(rf"\(+{re.escape(column)} = ", condition) is not None


async def _whole_table(look: Look, target: Target) -> tuple[str, str]:
    """Return the big table that the statement reads as a whole, as zena_app, and by what it filters."""
    told = (await known(look.conn, [target.scope])).get(target.scope)
    tenant = await look.conn.fetchval(b1_slow_queries.BUSIEST, look.since(10), look.now, target.scope)
    if told is None or told["text"] is None or tenant is None:
        raise Refused("no kept request names a firm that ran the statement, so its plan cannot be looked at")
    try:
        async with dialled(look.settings.direct_dsn, "zena-symptoms") as app:
            plan = await plans.plan_of(app, told["text"], tenant)
    except (asyncpg.PostgresError, plans.NotASelect) as error:
        raise Refused(f"the statement cannot be explained: {type(error).__name__}") from error
    marks = await plans.marks(look.conn, plan)
    for node in plans.nodes(plan.tree):
        if node["Node Type"] == "Seq Scan" and any(f" of {node['Relation Name']} is" in mark for mark in marks):
            return node["Relation Name"], node.get("Filter", "")
    raise Refused("its plan reads no large table as a whole any more")


async def _build(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    """Build beside what goes on. One that did not come to its end is dropped: it would cost and serve nobody."""
    conn = look.conn
    await conn.execute("SET ROLE zena_owner")
    await conn.execute("SET statement_timeout = 0")
    await conn.execute(acts_on["drop"], timeout=_LONG)
    tell(acts_on["build"])
    try:
        await conn.execute(acts_on["build"], timeout=_LONG)
    except asyncpg.PostgresError:
        if not conn.is_closed():
            await conn.execute(acts_on["drop"], timeout=_LONG)
        raise


async def _drop(look: Look, acts_on: Mapping[str, Any]) -> None:
    await look.conn.execute("SET ROLE zena_owner")
    await look.conn.execute(acts_on["drop"], timeout=_LONG)


async def _built(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return bool(await look.conn.fetchval(_VALID, acts_on["index"]))


ANALYZE: Final = Remedy(
    "analyze", "renew the planner's figures of a table", frozenset({("B1", "stale_statistics")}), Risk.APPLICATION,
    _plan_analyze, _analyze, _analyzed,
)  # fmt: skip
CREATE_INDEX: Final = Remedy(
    "create_index", "build the index that a statement lacks", frozenset({("B1", "missing_index")}),
    Risk.INFRASTRUCTURE, _plan_index, _build, _built, undo=_drop,
)  # fmt: skip
