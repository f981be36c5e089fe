"""What the application may no longer do in the database, though it is made to: given back, and nothing beyond."""

import re
from collections.abc import Mapping
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.integrity.posture import MISSING_RIGHT
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.remedies.fences import as_owner
from zena.operate.symptoms.contract import Look

#: So many are written out; acted on are all.
_SHOWN: Final = 8
_GATE: Final = re.compile(r" ON (FUNCTION gate\.|SCHEMA gate$)")


async def _plan(look: Look, target: Target) -> Plan:
    lost = await missing(look.conn)
    if not lost:
        raise Refused(
            "the application has every right that it is made with: something else refuses it,"
            f" `zena doctor {target.symptom.id}`"
        )
    effects = [f"GRANT {right} TO zena_app" for right in lost[:_SHOWN]]
    effects += [f"and {len(lost) - _SHOWN} more"] if len(lost) > _SHOWN else []
    return Plan(
        {"rights": lost},
        effects,
        {"rights": len(lost)},
        "none is needed: it gets exactly what the migrations gave it, and nothing beyond",
    )


async def missing(conn: Raw) -> list[str]:
    """Return the rights that the application lost, as GRANT takes them."""
    return sorted(str(row[0]) for row in await conn.fetch(MISSING_RIGHT.sql, *MISSING_RIGHT.takes))


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    """What is in gate belongs to zena_ops, who asks; the rest to zena_owner."""
    own = [right for right in acts_on["rights"] if _GATE.search(right)]
    async with look.conn.transaction():
        for right in own:
            # allow: sql-literal - a line of our own list
            await look.conn.execute(f"GRANT {right} TO zena_app")
        await as_owner(look.conn, [f"GRANT {right} TO zena_app" for right in acts_on["rights"] if right not in own])
    tell(f"{len(acts_on['rights'])} given back")


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:
    return not {*acts_on["rights"]} & {*await missing(look.conn)}


RESTORE_RIGHTS: Final = Remedy(
    "restore_rights", "give the application back what it may do in the database",
    frozenset({("A2", "right_missing"), ("U1", "right_missing"), ("W2", "right_missing")}), Risk.INFRASTRUCTURE,
    _plan, _apply, _gone,
)  # fmt: skip
