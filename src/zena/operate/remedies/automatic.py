"""What is applied without being asked: the mildest remedy, of symptoms that were named for it (ZENA_AUTOMATIC)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import asyncpg

from zena.kit.db import dialled
from zena.kit.logs import get_logger
from zena.operate.incidents import actions, timeline
from zena.operate.remedies import runner, runs
from zena.operate.remedies.catalogue import proposed
from zena.operate.remedies.contract import Refused, Remedy, Risk
from zena.operate.remedies.runner import Aim, Hand
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

#: Who applies it, in the timeline and the record of changes.
ACTOR: Final = "automatic"
#: A statement of a remedy may take so long, seconds.
_PATIENCE: Final = 120.0
# An incident is mended by itself once at most: what did not help, or was taken back, is for a person.
_DUE: Final = """
SELECT id, symptom, cause FROM ops.incident i WHERE closed_at IS NULL AND symptom = ANY ($1) AND cause IS NOT NULL
   AND NOT EXISTS (SELECT FROM ops.remedy_run r WHERE r.incident_id = i.id) ORDER BY id
"""


async def apply_due(hand: Hand, symptoms: Sequence[str]) -> list[runner.Outcome]:
    """Apply to each open incident of these symptoms what answers its cause, if that is taken back in the application.

    Budget, freeze and locks hold as for a person. What is not done is told in the timeline, once for each reason.
    """
    outcomes = []
    for row in await hand.conn.fetch(_DUE, list(symptoms)):
        remedy = next((one for one in proposed(row["symptom"], row["cause"]) if one.risk is Risk.APPLICATION), None)
        if remedy is None:
            continue
        try:
            outcomes.append(await _applied(hand, remedy, Aim(incident=row["id"])))
        except (Refused, runner.Later) as why:
            await _told(hand, row["id"], f"{remedy.id} is not applied by itself: {why}")
        except (runner.NotNeeded, runner.Moved):
            continue  # it is over, or is looked at again in the next round
    return outcomes


async def mend(state: "State") -> None:
    """Apply what ZENA_AUTOMATIC names, over a connection of its own. Raises nothing: the next round tries again."""
    settings = state.settings
    if not settings.automatic:
        return
    try:
        async with dialled(settings.dsn(Role.OPS), "zena-automatic", patience=_PATIENCE) as conn:
            hand = Hand(conn, settings, state.clock, ACTOR, log.info, settings.pace)
            for outcome in await apply_due(hand, settings.automatic):
                log.warning("a remedy was applied by itself", run=outcome.run, verdict=outcome.verdict)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.warning("nothing is mended by itself: the database does not answer", error=type(error).__name__)
    except Exception:
        log.exception("nothing is mended by itself")


async def _applied(hand: Hand, remedy: Remedy, aim: Aim) -> runner.Outcome:
    what = await runner.planned(hand, remedy, aim)
    await runs.planned(hand.conn, what, hand.actor, hand.clock.now())
    return await runner.applied(hand, remedy, aim, what.hash)


async def _told(hand: Hand, incident: int, text: str) -> None:
    told = await timeline.entries(hand.conn, incident)
    if not any(one["body"].get("text") == text for one in told):
        await actions.note(hand.conn, incident, hand.actor, text, hand.clock.now())
