"""What holds firms apart: put up again as the migrations make it, or a table shut off until somebody does."""

from collections.abc import Mapping
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.integrity.posture import SHUT_OFF
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look
from zena.operate.symptoms.t1_hidden_data import NARROWING

#: The second half of a firm's policy, as the migrations write it.
TENANT: Final = "(SELECT nullif(current_setting('app.tenant', true), '')::uuid)"
# The server writes the names: whatever a table or policy is called, it is quoted as it must be.
_PLANNED: Final = """
SELECT t, format('ALTER TABLE %1$I ENABLE ROW LEVEL SECURITY; ALTER TABLE %1$I FORCE ROW LEVEL SECURITY', t) AS fence,
       format('DROP POLICY IF EXISTS tenant ON %1$I;'
              ' CREATE POLICY tenant ON %1$I FOR ALL USING (%2$s) WITH CHECK (%2$s)',
              t, CASE t WHEN 'tenant' THEN 'id' ELSE 'tenant_id' END || ' = ' || $2) AS policy,
       format('CREATE POLICY %2$I ON %1$I AS RESTRICTIVE TO zena_app USING (false) WITH CHECK (false)', t, $3::text)
         AS shut,
       format('DROP POLICY IF EXISTS %2$I ON %1$I', t, $3::text) AS reopen
  FROM unnest($1::text[]) AS t ORDER BY t
"""
_OPEN: Final = """
SELECT format('DROP POLICY %I ON %s', polname, polrelid::regclass) AS statement, polname, polrelid::regclass::text AS t
  FROM pg_policy WHERE format('%s on %s', polname, polrelid::regclass) = ANY ($1) ORDER BY polname, t
"""
_ROWS: Final = """
SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
 WHERE relname = ANY ($1) AND relnamespace = 'public'::regnamespace
"""
_FENCED: Final = """
SELECT count(*) FROM pg_class c
 WHERE c.relname = ANY ($1) AND c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND c.relforcerowsecurity
   AND ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname <> $2) = '{tenant}'
"""
_STANDS: Final = """
SELECT count(*) FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = $2 AND NOT p.polpermissive
 WHERE c.relname = ANY ($1) AND c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND c.relforcerowsecurity
"""
_TABLES: Final = frozenset({"row security", "policy"})
#: Policies too many: one that asks for no firm, and one that hides a firm's rows from itself.
_DROPPED: Final = ("open policy", NARROWING)


def _fallen(target: Target) -> dict[str, list[str]]:
    return {str(name): list(sample) for name, _, sample, _ in target.reading.facts.get("fallen", [])}


def _tables(fallen: Mapping[str, list[str]]) -> list[str]:
    return sorted({table for name in _TABLES for table in fallen.get(name, [])})


async def _plan_restore(look: Look, target: Target) -> Plan:
    """Plan the tenant's policy and forced row security, as the migrations make them; a policy too many is dropped."""
    fallen = _fallen(target)
    unwanted = [name for fence in _DROPPED for name in fallen.get(fence, [])]
    opened = await look.conn.fetch(_OPEN, unwanted)
    statements = [row["statement"] for row in opened]  # first: the firm's own policy may be one of them
    for row in await look.conn.fetch(_PLANNED, _tables(fallen), TENANT, SHUT_OFF):
        statements += [row["fence"], *([row["policy"]] if row["t"] in fallen.get("policy", []) else [])]
    if not statements:
        raise Refused(f"only row security and policies are put up again; {', '.join(fallen)}: {_advice(target)}")
    tables = sorted({*_tables(fallen), *(row["t"] for row in opened)})
    effects = [
        f"put up the fence of {', '.join(tables)} again, as the migrations made it",
        *(f"drop the policy {row['polname']} of {row['t']}, which no migration made" for row in opened),
    ]
    touches = {"tables": len(tables), "rows fenced": await look.conn.fetchval(_ROWS, tables)}
    return Plan({"statements": statements, "tables": tables}, effects, touches, "none: a fence is not taken down again")


async def _plan_shut(look: Look, target: Target) -> Plan:
    fallen = _fallen(target)
    opened = [row["t"] for row in await look.conn.fetch(_OPEN, fallen.get("open policy", []))]
    tables = sorted({*_tables(fallen), *opened})
    if not tables:
        raise Refused(f"no single table leaks; {', '.join(fallen)}: {_advice(target)}")
    rows = await look.conn.fetch(_PLANNED, tables, TENANT, SHUT_OFF)
    acts_on = {
        "tables": tables,
        "statements": [statement for row in rows for statement in (row["fence"], row["reopen"], row["shut"])],
        "reopen": [row["reopen"] for row in rows],
    }
    effects = [f"let the application see no row of {', '.join(tables)} at all, and write none: pages that need it fail"]
    touches = {"tables": len(tables), "rows shut off": await look.conn.fetchval(_ROWS, tables)}
    return Plan(acts_on, effects, touches, "opens the tables again; a person decides, once the fence stands")


def _advice(target: Target) -> str:
    return "; ".join(str(advice) for *_, advice in target.reading.facts.get("fallen", []))


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    await as_owner(look.conn, acts_on["statements"])
    tell(f"done to {', '.join(acts_on['tables'])}")


async def _reopen(look: Look, acts_on: Mapping[str, Any]) -> None:
    await as_owner(look.conn, acts_on["reopen"])


async def as_owner(conn: Raw, statements: list[str]) -> None:
    """Run statements in one transaction: all of them, or none."""
    async with conn.transaction():
        await conn.execute("SET LOCAL ROLE zena_owner")
        for statement in statements:
            await conn.execute(statement)


async def _restored(look: Look, acts_on: Mapping[str, Any]) -> bool:
    """Tell whether each table is fenced, with the firm's policy and no other than the quarantine's."""
    return bool(await look.conn.fetchval(_FENCED, acts_on["tables"], SHUT_OFF) == len(acts_on["tables"]))


async def _shut(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return bool(await look.conn.fetchval(_STANDS, acts_on["tables"], SHUT_OFF) == len(acts_on["tables"]))


_ANSWERS: Final = frozenset({("T2", "row_security_off"), ("T2", "policy_changed"), ("T2", "open_policy")})
RESTORE_FENCE: Final = Remedy(
    "restore_fence", "put up the fence between firms again", _ANSWERS | {("T1", "policy_missing")},
    Risk.INFRASTRUCTURE, _plan_restore, _apply, _restored,
)  # fmt: skip
QUARANTINE: Final = Remedy(
    "quarantine", "shut a table off from the application", _ANSWERS, Risk.APPLICATION, _plan_shut, _apply, _shut,
    undo=_reopen, contains=True, guards=True,
)  # fmt: skip
