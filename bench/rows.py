"""What is measured. Each row runs its two sides in turns, so that whatever else the machine does hits both alike."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Literal

import msgspec

from bench.load import Measured

#: Measures both sides; told whether ours goes first.
Sides = Callable[[bool], tuple[Measured, Measured]]
Figure = Literal["rate", "p50", "p95"]


def in_turn(side: Callable[[], Measured], base: Callable[[], Measured]) -> Sides:
    """Return how two sides are measured one after the other."""

    def both(ours_first: bool) -> tuple[Measured, Measured]:  # noqa: FBT001 - as Sides says
        if ours_first:
            first = side()
            return first, base()
        second = base()
        return side(), second

    return both


class Row(msgspec.Struct, kw_only=True):
    """One line of the report. `ratio` compares `value` with `base`; `goal` is what `met` is judged by."""

    name: str
    figure: Figure
    value: float
    p95: float
    base_name: str
    base: float
    ratio: float
    goal: str
    met: bool
    failures: int
    rounds: list[tuple[Measured, Measured]]

    @property
    def unit(self) -> str:
        return "/s" if self.figure == "rate" else "ms"


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a row; what is None is not asked for."""

    least_ratio: float | None = None
    most_ratio: float | None = None
    least_value: float | None = None
    most_value: float | None = None
    most_p95: float | None = None

    def __str__(self) -> str:
        told = [
            ("ratio >= {:.2g}", self.least_ratio),
            ("ratio <= {:.3g}", self.most_ratio),
            (">= {:g}", self.least_value),
            ("<= {:g}", self.most_value),
            ("p95 <= {:g} ms", self.most_p95),
        ]
        return ", ".join(text.format(bound) for text, bound in told if bound is not None)

    def is_met(self, value: float, p95: float, ratio: float) -> bool:
        least = [(self.least_ratio, ratio), (self.least_value, value)]
        most = [(self.most_ratio, ratio), (self.most_value, value), (self.most_p95, p95)]
        return all(bound is None or found >= bound for bound, found in least) and all(
            bound is None or found <= bound for bound, found in most
        )


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A row before it is run: what we measure, and what it is held against."""

    name: str
    figure: Figure
    base_name: str
    sides: Sides
    goal: Goal

    def run(self, rounds: int) -> Row:
        """Run both sides in turns, which of them goes first changing each round, and compare the medians."""
        pairs = [self.sides(bool(number % 2)) for number in range(rounds)]
        value, base = self._median([pair[0] for pair in pairs]), self._median([pair[1] for pair in pairs])
        ratio = median(self._of(side) / max(self._of(against), 1e-9) for side, against in pairs)
        p95 = median(side.p95 for side, _ in pairs)
        failures = sum(measured.failures for pair in pairs for measured in pair)
        return Row(
            name=self.name,
            figure=self.figure,
            value=value,
            p95=p95,
            base_name=self.base_name,
            base=base,
            ratio=ratio,
            goal=str(self.goal),
            met=not failures and self.goal.is_met(value, p95, ratio),
            failures=failures,
            rounds=pairs,
        )

    def _median(self, runs: Sequence[Measured]) -> float:
        return median(self._of(run) for run in runs)

    def _of(self, run: Measured) -> float:
        value: float = getattr(run, self.figure)
        return value
