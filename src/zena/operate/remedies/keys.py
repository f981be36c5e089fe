"""Foreign keys and triggers that somebody switched off: watched again, and held against what came in meanwhile."""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from zena.kit.db import Raw
from zena.operate.integrity.orphans import find_orphans, foreign_keys
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.remedies.fences import as_owner
from zena.operate.symptoms.contract import Look

#: Rows are looked through beside what goes on, which may take long, seconds.
_LONG: Final = 3600.0
# Triggers of a key are the server's own: only a superuser switches them on. Its owner makes the key anew, to the same
# end. What was made or let in unseen is then looked through: a key that is not valid says nothing of its rows.
_OFF: Final = """
WITH ours AS (SELECT c.oid, c.relname, c.oid::regclass AS called, greatest(c.reltuples, 0)::bigint AS rows
                FROM pg_class c WHERE c.relkind IN ('r', 'p') AND pg_get_userbyid(c.relowner) = 'zena_owner'),
     doubted AS (SELECT k.*, ours.relname, ours.called, ours.rows,
                        k.contype = 'f' AND (to_jsonb(k) ->> 'conenforced' = 'false' OR EXISTS (
                            SELECT FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O')) AS off
                   FROM pg_constraint k JOIN ours ON ours.oid = k.conrelid WHERE k.conparentid = 0)
SELECT format('%s of %s', conname, relname) AS name, rows,
       CASE WHEN off THEN format('ALTER TABLE %1$s DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I %3$s NOT VALID', called,
           conname, regexp_replace(pg_get_constraintdef(oid), ' NOT (VALID|ENFORCED)', '', 'g')) END AS make,
       format('ALTER TABLE %s VALIDATE CONSTRAINT %I', called, conname) AS look
  FROM doubted WHERE off OR NOT convalidated
 UNION ALL
SELECT format('%s of %s', t.tgname, relname), 0, format('ALTER TABLE %s ENABLE TRIGGER %I', called, t.tgname), NULL
  FROM pg_trigger t JOIN ours ON ours.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgenabled <> 'O'
 ORDER BY name
"""


async def _plan(look: Look, target: Target) -> Plan:
    off = await look.conn.fetch(_OFF)
    if not off:
        raise Refused(f"no key and no trigger of ours is off: {target.reading.says}")
    made, looked = [row for row in off if row["make"]], [row for row in off if row["look"]]
    effects = [f"watch {row['name']} again; its table waits for a moment" for row in made]
    effects += [f"look through the rows for {row['name']}, while work goes on" for row in looked]
    acts_on = {
        "keys": [row["name"] for row in off],
        "statements": [row["make"] for row in made],
        "looks": {row["name"]: row["look"] for row in looked},
    }
    touches = {"keys and triggers": len(off), "rows looked through": sum(row["rows"] for row in looked)}
    return Plan(acts_on, effects, touches, "none: what watches the rows is not switched off again")


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    """Watch first, then look: what contradicts a key already does not keep it from refusing more of that."""
    await as_owner(look.conn, acts_on["statements"])
    tell(f"watched again: {', '.join(acts_on['keys'])}")
    await look.conn.execute("SET statement_timeout = 0")
    broken = [name for name in acts_on["looks"] if not await _whole(look.conn, name, acts_on["looks"][name])]
    if broken:
        raise Refused(
            f"watched again, but rows came in meanwhile that contradict {', '.join(broken)}:"
            " `zena db check-integrity` names them, `--repair` mends them"
        )


async def _whole(conn: Raw, name: str, statement: str) -> bool:
    """Hold a constraint against every row. Its owner is kept behind the fences of firms, and would see no orphan."""
    key = next((one for one in await foreign_keys(conn) if f"{one.name} of {one.child_name}" == name), None)
    if key is not None and await find_orphans(conn, key):
        return False
    try:
        await conn.execute("SET ROLE zena_owner")
        await conn.execute(statement, timeout=_LONG)
    except asyncpg.IntegrityConstraintViolationError:
        return False
    finally:
        await conn.execute("RESET ROLE")
    return True


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return not {*acts_on["keys"]} & {row["name"] for row in await look.conn.fetch(_OFF)}


RESTORE_KEYS: Final = Remedy(
    "restore_keys", "watch foreign keys and triggers again", frozenset({("X2", "keys_off")}), Risk.INFRASTRUCTURE,
    _plan, _apply, _gone,
)  # fmt: skip
