"""What the sentinel met on its way: one reading for a symptom, from the stage that belongs to it."""

from typing import Final

from zena.operate.sentinel.store import stages
from zena.operate.sentinel.walking import EVERY
from zena.operate.symptoms.contract import Evidence, Hypothesis, Look, Reading

SCOPE: Final = "sentinel"
#: The cause, where nothing else is known.
UNANSWERED: Final = "unanswered"
#: So many failures in a row are no accident; a stage that was not tried for so many journeys tells nothing.
LEAST: Final = 3


async def tried(look: Look, stage: str) -> list[Reading]:
    """Return what the last journeys say of a stage; nothing where none was ever made."""
    row = (await stages(look.conn)).get(stage)
    if row is None:
        return []
    facts = {"stage": stage, "failed": row["failed"], "since": row["since"].isoformat(), "says": row["says"]}
    if look.now - row["at"] > look.minutes(LEAST * EVERY / 60):
        return [Reading(SCOPE, None, calm=False, says=f"{stage}: not tried since {row['at']:%H:%M:%S}", facts=facts)]
    says = f"{stage}: answered in {row['ms']:.0f} ms" if row["ok"] else (
        f"{stage}: {row['failed']} times in a row since {row['since']:%H:%M:%S}: {row['says']}"
    )  # fmt: skip
    over = row["failed"] >= LEAST
    return [Reading(SCOPE, over, row["ok"], says, float(row["failed"]), float(LEAST), facts)]


def unanswered(reading: Reading) -> Hypothesis | None:
    """Return the cause that stands where no other is found; None of a reading that is not the sentinel's."""
    if reading.scope != SCOPE:
        return None
    told = [Evidence("a journey through the installation", reading.says, reading.facts)]
    says = f"the installation does not answer itself at {reading.facts['stage']}: {reading.facts['says']}"
    return Hypothesis(UNANSWERED, 0.6, says, told, "zena status")
