"""How PostgreSQL would find the rows of a SELECT for one firm: the plan the application really gets.

Prepared with the plan forced to be generic, as zena_app with the tenant set: EXPLAIN with values, or as another role,
shows a plan that nobody runs. Nothing is executed.
"""

import json
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from zena.kit.db import Raw
from zena.operate.database.plain import without_comments

#: Reading all of a table with more rows than this is worth a mark.
BIG: Final = 10_000
_NAME: Final = "zena_explained"
_ENTER: Final = "SELECT set_config('app.tenant', $1, true), set_config('app.user', '', true)"
_PARAMETERS: Final = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1"
_ROWS: Final = """
SELECT c.relname AS name, c.reltuples::bigint AS rows FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = ANY ($1) AND n.nspname IN ('public', 'ops', 'queue')
"""
_INDEXED: Final = """
SELECT DISTINCT t.relname AS name, a.attname AS column,
       ARRAY(SELECT o.oprname::text FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
              WHERE o.oprleft = a.atttypid AND p.proleakproof) AS leakproof
  FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
 CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k (attnum, ord)
  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
 WHERE t.relname = ANY ($1) AND x.indisvalid AND k.ord <= 2 AND a.attname <> 'tenant_id'
"""


class NotASelect(Exception):  # noqa: N818 - says what is
    """Only one SELECT is explained."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as the server prints it, and as data."""

    text: list[str]
    tree: dict[str, Any]


async def plan_of(conn: Raw, sql: str, tenant: UUID, *, through_indexes: bool = False) -> Plan:
    """Return the generic plan of one SELECT with $1, $2... as placeholders. Raises NotASelect, asyncpg.PostgresError.

    `through_indexes` makes the planner avoid sequential scans, to see which conditions an index could take at all.
    """
    if not re.match(r"(select|with|values|\()", without_comments(sql), re.IGNORECASE):
        raise NotASelect
    async with _prepared(conn, sql, tenant) as call:
        if through_indexes:
            await conn.execute("SET LOCAL enable_seqscan = off")
        # allow: sql-literal - a name of ours and NULLs
        text = [row[0] for row in await conn.fetch(f"EXPLAIN EXECUTE {call}")]
        # allow: sql-literal - as above: a name of ours and NULLs
        told = await conn.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {call}")
    tree: dict[str, Any] = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    if any(node["Node Type"] == "ModifyTable" for node in nodes(tree)):
        raise NotASelect
    return Plan(text, tree)


@asynccontextmanager
async def _prepared(conn: Raw, sql: str, tenant: UUID) -> Any:
    """Prepare inside a transaction that is read only and rolled back; yield what EXECUTE takes."""
    move = conn.transaction(readonly=True)
    await move.start()
    try:
        await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL statement_timeout = '10s'")
        await conn.fetch(_ENTER, str(tenant))
        # fetch() speaks the extended protocol, which refuses a second statement after a semicolon.
        # allow: sql-literal - the operator's own SELECT, which is never executed
        await conn.fetch(f"PREPARE {_NAME} AS {sql}")
        count = await conn.fetchval(_PARAMETERS, _NAME)
        yield f"{_NAME}({', '.join(['NULL'] * count)})" if count else _NAME
    finally:
        await move.rollback()
        with suppress(asyncpg.InvalidSQLStatementNameError):  # it was refused, so there is none
            await conn.execute(f"DEALLOCATE {_NAME}")


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a plan's nodes from the top."""
    yield tree
    for below in tree.get("Plans", ()):
        yield from nodes(below)


async def marks(conn: Raw, plan: Plan) -> list[str]:
    """Return what strikes the eye about a plan: whole big tables read."""
    read = {node["Relation Name"] for node in nodes(plan.tree) if node["Node Type"] == "Seq Scan"}
    rows = {row["name"]: row["rows"] for row in await conn.fetch(_ROWS, sorted(read))}
    return [f"all of {name} is read, about {rows[name]} rows" for name in sorted(read) if rows.get(name, 0) > BIG]


async def held_back(conn: Raw, held: Plan, free: Plan) -> list[str]:
    """Return the indexed columns that row-level security keeps out of the index.

    `held` is the plan as zena_app, `free` the same as zena_ops, both through indexes: the free one looks the column up,
    the held one filters by it with an operator that is not leakproof.
    """
    filtered, taken = _conditions(held, "Filter"), _conditions(free, "Index Cond")
    rows = await conn.fetch(_INDEXED, sorted(filtered))
    return sorted(
        f"{row['name']}.{row['column']} is indexed but filtered row by row: its operator is not leakproof,"
        " so row-level security keeps it out of the index"
        for row in rows
        if _operators(taken.get(row["name"], ""), row["column"])
        and not _operators(filtered.get(row["name"], ""), row["column"]) <= set(row["leakproof"])
    )


def _conditions(plan: Plan, part: str) -> dict[str, str]:
    """Return conditions by table; a bitmap's stands in a node below the one that names the table."""
    found: dict[str, str] = {}
    table = ""
    for node in nodes(plan.tree):
        table = node.get("Relation Name", table)
        if part in node:
            found[table] = f"{found.get(table, '')} {node[part]}"
    return found


def _operators(condition: str, column: str) -> set[str]:
    """Return the operators that stand right of a column in a printed condition."""
    return set(re.findall(rf"\(+{re.escape(column)} ([^\w\s'\"()]+) ", condition))
