"""From one look to the next: when a reading becomes an incident, and when it is over."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from zena.operate.symptoms.contract import Reading

#: Seconds between two rounds.
EVERY: Final = 15.0
#: So many calm looks in a row close what is open.
CALM_LOOKS: Final = 2
State = Literal["suspect", "open"]
Move = Literal["none", "opened", "closed"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one scope that is not well, since its first look over the limit.

    `looks` counts those over the limit; `calm` those well below in a row, the first of them at `calm_since`.
    """

    state: State
    since: datetime
    looks: int = 0
    calm: int = 0
    calm_since: datetime | None = None


def step(was: Standing | None, reading: Reading, now: datetime, opens_after: int) -> tuple[Standing | None, Move]:
    """Return what is known after a reading (None: all is well), and whether an incident opens or closes by it.

    A reading that cannot tell changes nothing: no data is neither better nor worse. Between the limit and four fifths
    of it, what is open stays open and what is suspected is less so.
    """
    if reading.over is None:
        return was, "none"
    if reading.over:
        return _worse(was or Standing("suspect", now), opens_after)
    if was is None:
        return None, "none"
    if was.state == "suspect":
        fewer = replace(was, looks=was.looks - 1)
        return (fewer, "none") if fewer.looks > 0 else (None, "none")
    if not reading.calm:
        return replace(was, calm=0, calm_since=None), "none"
    calmer = replace(was, calm=was.calm + 1, calm_since=was.calm_since or now)
    return (calmer, "closed") if calmer.calm >= CALM_LOOKS else (calmer, "none")


def _worse(was: Standing, opens_after: int) -> tuple[Standing, Move]:
    more = replace(was, looks=was.looks + 1, calm=0, calm_since=None)
    if more.state == "suspect" and more.looks >= opens_after:
        return replace(more, state="open"), "opened"
    return more, "none"
