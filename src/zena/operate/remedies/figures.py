"""Wrong figures that lie in the cache: let nobody read them again."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from zena.operate.cache.clearing import clear
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look
from zena.operate.symptoms.d2_wrong_figures import Differs, told
from zena.operate.symptoms.figures import counted
from zena.operate.telemetry.shadow import DIFFERS

#: So many firms are cleared one by one; more have a cause that clearing does not end.
_MOST: Final = 50
_CAUSES: Final = ("invalidation_missing", "wrong_value")


async def _plan(_: Look, target: Target) -> Plan:
    """Name the firms and families in which a wrong value was found."""
    differs = [Differs(*words) for words in target.reading.facts.get("differs", [])]
    found = [one for one in differs if one.cause in _CAUSES]
    firms = sorted({one.firm for one in found})
    families = sorted({one.family for one in found})
    if not firms:
        raise Refused("no wrong value was found lately: `zena runbook diagnose D2`")
    if len(firms) > _MOST:
        raise Refused(f"{len(firms)} firms have wrong values: `zena cache clear` clears all of them")
    effects = [f"let what is kept of {', '.join(families)} of {len(firms)} firms never be read again",
               "the next look of each computes afresh; nothing is deleted"]  # fmt: skip
    acts_on = {"firms": firms, "families": families}
    return Plan(acts_on, effects, {"firms": len(firms), "families": len(families)}, "none: what is computed is true")


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    for firm in acts_on["firms"]:
        async for _ in clear(look.conn, tenant=UUID(firm), families=acts_on["families"]):
            tell(f"firm {firm}: {', '.join(acts_on['families'])}")


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:
    found = told(await counted(look, [DIFFERS]))
    return not any(one.firm in acts_on["firms"] and one.family in acts_on["families"] for one in found)


CLEAR_FAMILY: Final = Remedy(
    "clear_family", "let wrong figures never be read again", frozenset(("D2", cause) for cause in _CAUSES),
    Risk.APPLICATION, _plan, _apply, _gone,
)  # fmt: skip
