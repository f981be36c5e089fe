"""Where measurements go. Callbacks are plain functions: they must neither block nor await.

What a callback raises is swallowed and counted: measuring must never decide about a request.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zena.kit.sought import Sought
from zena.kit.visit import current_visit

RequestSeen = Callable[[str, str, int, float], None]  # route template, method, status, seconds
QuerySeen = Callable[[str, float], None]  # statement text with its placeholders, seconds
RowsSeen = Callable[[int | None], None]  # rows that the last statement found or changed; None: not known
JobSeen = Callable[[str, str, float, float], None]  # job name, outcome, seconds it ran, seconds it waited before
CacheSeen = Callable[[str, str | None], None]  # family, reason of the miss (None: hit)
WaitSeen = Callable[[float], None]  # seconds until a connection came free
DeliverySeen = Callable[[float], None]  # seconds from an event until its listeners here were handed it
LiveSeen = Callable[[str, str], None]  # what became of a live connection (close, refused), by which code
SoughtSeen = Callable[[Sought], None]  # something that the firm of whoever asked does not have


@dataclass(slots=True)
class Telemetry:
    """The hooks of one process. Without a listener each costs one test of an empty list."""

    on_request: list[RequestSeen] = field(default_factory=list)
    on_query: list[QuerySeen] = field(default_factory=list)
    on_rows: list[RowsSeen] = field(default_factory=list)
    on_job: list[JobSeen] = field(default_factory=list)
    on_cache: list[CacheSeen] = field(default_factory=list)
    on_wait: list[WaitSeen] = field(default_factory=list)
    on_delivery: list[DeliverySeen] = field(default_factory=list)
    on_live: list[LiveSeen] = field(default_factory=list)
    on_sought: list[SoughtSeen] = field(default_factory=list)
    failures: int = 0

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        if self.on_request:
            self._tell(self.on_request, route, method, status, seconds)

    def query(self, statement: str, seconds: float) -> None:
        """Count a statement, and note it on the request it was sent for."""
        if self.on_query:
            visit = current_visit()
            if visit is not None:
                visit.tally.query(statement, seconds)
            for listener in self.on_query:  # not by _tell: passing facts on costs as much as counting them
                try:
                    listener(statement, seconds)
                except Exception:  # noqa: BLE001 - as there
                    self.failures += 1

    def rows(self, count: int | None) -> None:
        """Tell of the rows of the statement that `query` was told of last."""
        if self.on_rows:
            self._tell(self.on_rows, count)

    def job(self, name: str, outcome: str, seconds: float, waited: float) -> None:
        if self.on_job:
            self._tell(self.on_job, name, outcome, seconds, waited)

    def cache(self, family: str, reason: str | None) -> None:
        if self.on_cache:
            visit = current_visit()
            if visit is not None:
                visit.tally.lookups.append((family, reason))
            self._tell(self.on_cache, family, reason)

    def wait(self, seconds: float) -> None:
        if self.on_wait:
            visit = current_visit()
            if visit is not None:
                visit.tally.waited += seconds
            self._tell(self.on_wait, seconds)

    def delivered(self, seconds: float) -> None:
        if self.on_delivery:
            self._tell(self.on_delivery, seconds)

    def live(self, what: str, code: str) -> None:
        if self.on_live:
            self._tell(self.on_live, what, code)

    def sought(self, what: Sought) -> None:
        if self.on_sought:
            self._tell(self.on_sought, what)

    def _tell(self, listeners: list[Any], *facts: Any) -> None:
        for listener in listeners:
            try:
                listener(*facts)
            except Exception:  # noqa: BLE001 - whatever a listener does wrong stays with it
                self.failures += 1
