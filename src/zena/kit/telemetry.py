"""Where measurements go. Callbacks are plain functions: they must neither block nor await.

What a callback raises is swallowed and counted: measuring must never decide about a request.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RequestSeen = Callable[[str, str, int, float], None]  # route template, method, status, seconds
QuerySeen = Callable[[str, float], None]  # statement text with its placeholders, seconds
JobSeen = Callable[[str, str, float], None]  # job name, outcome, seconds
CacheSeen = Callable[[str, str | None], None]  # family, reason of the miss (None: hit)


@dataclass(slots=True)
class Telemetry:
    """The hooks of one process. Without a listener each costs one test of an empty list."""

    on_request: list[RequestSeen] = field(default_factory=list)
    on_query: list[QuerySeen] = field(default_factory=list)
    on_job: list[JobSeen] = field(default_factory=list)
    on_cache: list[CacheSeen] = field(default_factory=list)
    failures: int = 0

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        if self.on_request:
            self._tell(self.on_request, route, method, status, seconds)

    def query(self, statement: str, seconds: float) -> None:
        if self.on_query:
            self._tell(self.on_query, statement, seconds)

    def job(self, name: str, outcome: str, seconds: float) -> None:
        if self.on_job:
            self._tell(self.on_job, name, outcome, seconds)

    def cache(self, family: str, reason: str | None) -> None:
        if self.on_cache:
            self._tell(self.on_cache, family, reason)

    def _tell(self, listeners: list[Any], *facts: Any) -> None:
        for listener in listeners:
            try:
                listener(*facts)
            except Exception:  # noqa: BLE001 - whatever a listener does wrong stays with it
                self.failures += 1
