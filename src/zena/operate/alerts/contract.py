"""What is told of an incident, and what the other side says to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice as a channel is given it: our own words and figures, never what a firm wrote.

    `key` stays the same however often it is sent. `kind` is as in ops.notice, or "test". `told` is what this notice
    adds; `reach` whom it reaches, in numbers; `ref` the other side's name of the incident's first notice, where it gave
    one. `facts` is all of it as JSON.
    """

    key: str
    kind: str
    at: datetime
    incident: int
    symptom: str
    title: str
    scope: str
    severity: str
    says: str
    link: str
    host: str
    told: str = ""
    reach: str = ""
    cause: str = ""
    evidence: Sequence[str] = ()
    next: str = ""
    remedy: str = ""
    plan: str = ""
    done: Sequence[str] = ()
    ref: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending. `says` is what the other side answered, fit for a log; `ref` its name for the notice.

    Where it was not `taken`, `wait` is how many seconds the other side wants to be left alone, and `final` tells that
    it will never be.
    """

    taken: bool
    says: str
    ref: str | None = None
    wait: float | None = None
    final: bool = False


class Channel(Protocol):
    """A way to tell people. `name` is as in Settings.alert_channels; `where` says whither, without a secret.

    `send` raises nothing: whatever happens is an answer.
    """

    @property
    def name(self) -> str: ...

    @property
    def where(self) -> str: ...

    async def send(self, notice: Notice) -> Answer: ...
