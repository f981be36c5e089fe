"""What one request does, statement by statement: listeners for the telemetry of a process that serves nobody else."""

from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, Final

from zena.kit.tally import REPEATED, caller
from zena.kit.telemetry import Telemetry
from zena.kit.templates import Renderer
from zena.kit.view import View
from zena.operate.telemetry.recorder import normal

#: What stands for the beginning and end of a transaction in one that is rolled back as a whole.
_ENDS: Final = (("ROLLBACK TO", "ROLLBACK"), ("RELEASE SAVEPOINT", "COMMIT"), ("SAVEPOINT", "BEGIN"))


@dataclass(slots=True)
class Step:
    """One statement. `at_ms` counts from the request's first moment; `rows` found or changed, None where not known."""

    at_ms: float
    ms: float
    rows: int | None
    caller: str | None
    statement: str


@dataclass(slots=True)
class Watched:
    """What was seen since `begin`. Milliseconds."""

    steps: list[Step] = field(default_factory=list)
    lookups: list[tuple[str, str | None]] = field(default_factory=list)
    route: str = ""
    total_ms: float = 0.0
    waited_ms: float = 0.0
    drawn_ms: float = 0.0
    _began: float | None = None

    def listen(self, telemetry: Telemetry) -> None:
        telemetry.on_query.append(self._query)
        telemetry.on_rows.append(self._rows)
        telemetry.on_cache.append(self._lookup)
        telemetry.on_wait.append(self._wait)
        telemetry.on_request.append(self._request)

    def begin(self) -> None:
        self.steps, self.lookups = [], []
        self.route, self.total_ms, self.waited_ms, self.drawn_ms = "", 0.0, 0.0, 0.0
        self._began = perf_counter()

    def end(self) -> None:
        """Look no longer: what follows is not the request's."""
        self._began = None

    @property
    def database_ms(self) -> float:
        return sum(step.ms for step in self.steps)

    def repeated(self) -> list[dict[str, Any]]:
        """Return the statements that were sent more than once, most often first; `n_plus_one` from ten times on."""
        groups: dict[str, list[Step]] = {}
        for step in self.steps:
            groups.setdefault(step.statement, []).append(step)
        found = [
            {
                "times": len(steps),
                "ms": round(sum(step.ms for step in steps), 3),
                "n_plus_one": len(steps) >= REPEATED,
                "caller": steps[0].caller,
                "statement": text,
            }
            for text, steps in groups.items()
            if len(steps) > 1 and text not in {end for _, end in _ENDS}
        ]
        return sorted(found, key=lambda one: -int(str(one["times"])))

    def as_json(self) -> dict[str, Any]:
        database = self.database_ms
        return {
            "route": self.route or None,
            "total_ms": round(self.total_ms, 3),
            "database_ms": round(database, 3),
            "pool_wait_ms": round(self.waited_ms, 3),
            "render_ms": round(self.drawn_ms, 3),
            "other_ms": round(max(0.0, self.total_ms - database - self.waited_ms - self.drawn_ms), 3),
            "queries": [{"n": number, **asdict(step)} for number, step in enumerate(self.steps, 1)],
            "repeated": self.repeated(),
            "cache": [{"family": family, "outcome": reason or "hit"} for family, reason in self.lookups],
        }

    def _query(self, statement: str, seconds: float) -> None:
        if self._began is None:
            return
        at = (perf_counter() - self._began - seconds) * 1000
        self.steps.append(Step(round(at, 3), round(seconds * 1000, 3), None, caller(), _plain(statement)))

    def _rows(self, count: int | None) -> None:
        if self.steps and self._began is not None:
            self.steps[-1].rows = count

    def _lookup(self, family: str, reason: str | None) -> None:
        if self._began is not None:
            self.lookups.append((family, reason))

    def _wait(self, seconds: float) -> None:
        self.waited_ms += seconds * 1000

    def _request(self, route: str, _method: str, _status: int, seconds: float) -> None:
        self.route, self.total_ms = route, seconds * 1000


class TimedRenderer(Renderer):
    """The same templates, and how long they take to draw."""

    def __init__(self, like: Renderer, folders: list[Any], seen: Watched) -> None:
        super().__init__(folders, like.assets)
        self._seen = seen

    def render(self, template: str, on: View, **context: Any) -> str:
        began = perf_counter()
        try:
            return super().render(template, on, **context)
        finally:
            self._seen.drawn_ms += (perf_counter() - began) * 1000


def _plain(statement: str) -> str:
    text = normal(statement)
    return next((name for start, name in _ENDS if text.startswith(start)), text).removesuffix(";")
