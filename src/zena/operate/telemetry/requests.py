"""Requests worth a look, kept whole: slow, failed, refused, repetitive, with a slow statement, and one in a hundred."""

import itertools
from collections import deque
from datetime import datetime
from typing import Any, Final, Self

import msgspec

from zena.kit.visit import Visit

#: Kept between two flushes; more in ten seconds says nothing new, and is counted.
MOST: Final = 500
SAMPLE: Final = 100
_FAILED: Final = 500
_DENIED: Final = frozenset({403})


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One request: who, what, how long, and what it cost. Times in milliseconds."""

    at: datetime
    request_id: str
    method: str
    route: str
    status: int
    ms: float
    kept_for: str
    tenant: str | None
    person: str | None
    facts: dict[str, Any]

    @classmethod
    def of(  # noqa: PLR0913 - the parts of one record
        cls,
        visit: Visit,
        *,
        at: datetime,
        name: str,
        status: int,
        ms: float,
        why: str,
        statements: list[dict[str, object]],
    ) -> Self:
        tally = visit.tally
        lookups: dict[str, int] = {}
        for family, reason in tally.lookups:
            outcome = f"{family}:{reason or 'hit'}"
            lookups[outcome] = lookups.get(outcome, 0) + 1
        method, _, route = name.partition(" ")
        facts = {
            "queries": tally.queries,
            "database_ms": round(tally.database * 1000, 3),
            "pool_wait_ms": round(tally.waited * 1000, 3),
            "most_repeated": max((sent.times for sent in tally.statements.values()), default=0),
            "statements": statements,
            "cache": lookups,
        }
        return cls(
            at=at,
            request_id=visit.request_id,
            method=method,
            route=route,
            status=status,
            ms=round(ms, 3),
            kept_for=why,
            tenant=visit.tenant,
            person=visit.user,
            facts=facts,
        )


class Requests:
    """What is kept until the next flush. `dropped` counts those for which there was no room."""

    def __init__(self) -> None:
        self.waiting: deque[Kept] = deque()
        self.dropped = 0
        self._seen = itertools.count(1)

    def is_sample(self) -> bool:
        """Tell whether this one, of all that are asked about, is one in a hundred."""
        return next(self._seen) % SAMPLE == 0

    def keep(self, record: Kept) -> None:
        if len(self.waiting) >= MOST:
            self.dropped += 1
        else:
            self.waiting.append(record)

    def take(self) -> list[Kept]:
        taken = list(self.waiting)
        self.waiting.clear()
        return taken


def why_kept(status: int, *, slow: bool, repeated: bool, statement: bool, sampled: bool) -> str | None:
    """Return why a request is kept: failed, slow, repeated, denied, statement, sample; None without a reason."""
    reasons = (
        ("failed", status >= _FAILED), ("slow", slow), ("repeated", repeated), ("denied", status in _DENIED),
        ("statement", statement), ("sample", sampled),
    )  # fmt: skip
    return next((reason for reason, holds in reasons if holds), None)
