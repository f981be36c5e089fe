"""Who is told when, as a table; and what follows from it for one incident at one moment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

#: An acknowledgement keeps everybody quiet for so long, unless it becomes worse.
ACK_HOLDS: Final = timedelta(minutes=60)
#: What goes on is told again so often.
REMIND: Final = timedelta(hours=4)
#: So many openings of the same symptom and scope within the hour are told one by one; after that they are one notice.
OPENINGS: Final = 3
#: What flaps is held until it was quiet for so long, or has stayed open for so long.
QUIET: Final = timedelta(hours=1)
#: What no maintenance brings about: told of though the installation is closed.
NEVER_PLANNED: Final = ("T2", "X2")

#: Channels by what they are; an address of mail is a channel of its own, "mail:ADDRESS".
PAGE, CHAT, HOOK, MAIL = "pagerduty", "slack", "webhook", "mail"


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told so many minutes after an incident opened, and, where none of these channels is set, who instead."""

    after: int
    reach: frozenset[str]
    otherwise: frozenset[str] = frozenset()

    def channels(self, there: Sequence[str]) -> list[str]:
        """Return those of the channels that are set which this step reaches."""
        found = [one for one in there if kind_of(one) in self.reach]
        return found or [one for one in there if kind_of(one) in self.otherwise]


#: Critical: page at once, and tell everybody. High: tell at once, page if nobody takes it. Medium: never wakes anybody.
POLICY: Final = {
    "critical": (Step(0, frozenset({PAGE, CHAT, HOOK, MAIL})),),
    "high": (
        Step(0, frozenset({CHAT, HOOK}), otherwise=frozenset({MAIL})),
        Step(15, frozenset({PAGE}), otherwise=frozenset({CHAT, HOOK, MAIL})),
    ),
    "medium": (Step(0, frozenset({MAIL, CHAT}), otherwise=frozenset({HOOK})),),
}


@dataclass(frozen=True, slots=True)
class Case:
    """An open incident, as far as it matters who is told. `acked_at` is when it was acknowledged last.

    `told` are the keys of its notices, `heard` the channels they went to, `told_at` the time of the last. `fixed` tells
    that a remedy's verdict says so; `announced`, of one that flaps, that it was told that it does.
    """

    id: int
    severity: str
    opened_at: datetime
    worse_at: datetime | None
    acked_at: datetime | None
    flapping: bool
    announced: bool
    fixed: bool
    told: frozenset[str]
    heard: frozenset[str]
    told_at: datetime | None

    def taken(self, now: datetime, pace: float) -> bool:
        """Tell whether somebody looks after it: acknowledged within the hour, and not worse since."""
        if self.acked_at is None or (self.worse_at is not None and self.worse_at >= self.acked_at):
            return False
        return now < self.acked_at + ACK_HOLDS * pace


@dataclass(frozen=True, slots=True)
class Due:
    """One notice to be written; there is one of each key and channel."""

    kind: str
    key: str
    channel: str
    text: str


def due(case: Case, there: Sequence[str], now: datetime, pace: float) -> list[Due]:
    """Return what is to be told of an incident now, over the channels that are set, that was not told before."""
    if case.taken(now, pace):
        return []
    if case.flapping and case.worse_at is None and now < case.opened_at + QUIET * pace:
        found = [] if case.announced else [*_flapping(case, there)]
    else:
        found = [*_steps(case, there, now, pace), *_reminder(case, there, now, pace)]
    return [one for one in found if one.key not in case.told]


def _steps(case: Case, there: Sequence[str], now: datetime, pace: float) -> Iterator[Due]:
    if case.fixed:
        return
    since = case.worse_at or case.opened_at
    for step in POLICY[case.severity]:
        if now < since + timedelta(minutes=step.after) * pace:
            return
        for channel in step.channels(there):
            kind, text = _words(case, step)
            yield Due(kind, f"{case.id}:{case.severity}:{step.after}:{channel}", channel, text)


def _words(case: Case, step: Step) -> tuple[str, str]:
    if step.after and case.acked_at is not None:
        return "escalated", "it was acknowledged, and goes on; nobody has it now"
    if step.after:
        return "escalated", f"nobody has acknowledged it for {step.after} minutes"
    if case.worse_at is not None:
        return "worse", f"it became {case.severity}"
    return "opened", ""


def _reminder(case: Case, there: Sequence[str], now: datetime, pace: float) -> Iterator[Due]:
    if case.told_at is None or now < case.told_at + REMIND * pace:
        return
    number = int((now - case.opened_at) / (REMIND * pace))
    hours = (now - case.opened_at).total_seconds() / 3600
    for channel in there:
        if channel in case.heard:
            yield Due("reminder", f"{case.id}:reminder:{number}:{channel}", channel, f"still open after {hours:.1f} h")


def _flapping(case: Case, there: Sequence[str]) -> Iterator[Due]:
    text = f"opened over {OPENINGS} times within the hour; nothing more is told until it is quiet, or open, for an hour"
    for channel in POLICY[case.severity][0].channels(there):
        yield Due("flapping", f"{case.id}:flapping:{channel}", channel, text)


def kind_of(channel: str) -> str:
    """Return what a channel is, for policy: its name, without an address."""
    return channel.partition(":")[0]
