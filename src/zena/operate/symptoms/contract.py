"""What every symptom fills in: a signal that can be measured, and causes ranked with their evidence."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.settings import Settings


class Severity(StrEnum):
    """How soon somebody has to know: at once, soon, at the next look."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"


@dataclass(frozen=True, slots=True)
class Look:
    """With what a symptom looks, and when. `conn` is zena_ops; `pace` scales every window (1 but in the lab).

    What was counted before `fresh` is not looked at: that is how it is seen what came of a remedy.
    """

    conn: "Raw"
    settings: "Settings"
    now: datetime
    pace: float = 1.0
    fresh: datetime | None = None

    def minutes(self, number: float) -> timedelta:
        """Return a window of so many minutes, as this look scales them."""
        return timedelta(minutes=number * self.pace)

    def since(self, minutes: float) -> datetime:
        since = self.now - self.minutes(minutes)
        return since if self.fresh is None else max(since, self.fresh)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a signal said of one scope: a route, a kind of job, a family of the cache; "" is the whole installation.

    `over` tells whether it is above its limit with enough samples; None is "too few to tell", which is never "well".
    `calm` tells that it is far enough below, four fifths of the limit, to close what it opened. `severity` is that of
    this scope where it is not the symptom's.
    """

    scope: str
    over: bool | None
    calm: bool
    says: str
    value: float | None = None
    limit: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact: where it comes from, and how it reads. `facts` are the figures, never what a firm wrote."""

    source: str
    says: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A cause that may be behind it. `confidence` from 0 to 1; `next` is the command that shows or mends it."""

    cause: str
    confidence: float
    says: str
    evidence: Sequence[Evidence] = ()
    next: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Causes, the likeliest first, and what was looked at and is not the cause, with the reason."""

    causes: Sequence[Hypothesis] = ()
    ruled_out: Sequence[tuple[str, str]] = ()

    @property
    def cause(self) -> str:
        """The likeliest cause's name, "unknown" without any."""
        return self.causes[0].cause if self.causes else "unknown"


@dataclass(frozen=True, slots=True)
class Symptom:
    """One entry of the runbook. `opens_after` looks over the limit in a row open an incident, two calm ones close it.

    `causes` are the names its diagnosis may give, beside `recent_change`; `folds` the symptoms that are consequences of
    this one while it is open.
    """

    id: str
    title: str
    severity: Severity
    watch: Callable[[Look], Awaitable[list[Reading]]]
    diagnose: Callable[[Look, Reading], Awaitable[Diagnosis]]
    causes: frozenset[str]
    opens_after: int = 2
    folds: frozenset[str] = frozenset()


def ranked(causes: Sequence[Hypothesis | None], ruled_out: Sequence[tuple[str, str] | None] = ()) -> Diagnosis:
    """Return a diagnosis of those causes that were found, the likeliest first."""
    found = sorted((one for one in causes if one is not None), key=lambda one: (-one.confidence, one.cause))
    return Diagnosis(found, [one for one in ruled_out if one is not None])
