"""What is counted of one series in one minute."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from zena.operate.telemetry.sketch import count


class Series(NamedTuple):
    """What is counted: `http` by route, `query` by fingerprint, `job` by name, and so on."""

    metric: str
    label: str


@dataclass(slots=True)
class Cell:
    """One series in one minute. `total` and `peak` in milliseconds."""

    n: int = 0
    bad: int = 0
    slow: int = 0
    total: float = 0.0
    peak: float = 0.0
    bins: dict[int, int] = field(default_factory=dict)

    def add(self, ms: float, number: int, bad: bool, slow: bool) -> None:  # noqa: FBT001 - by name costs more
        """Add one duration, of bin `number`."""
        self.n += 1
        self.total += ms
        if bad:
            self.bad += 1
        if slow:
            self.slow += 1
        if ms > self.peak:  # noqa: PLR1730 - max() is a call
            self.peak = ms
        self.bins[number] = self.bins.get(number, 0) + 1

    def add_all(self, times: Sequence[float], slow_after: float) -> None:
        """Add durations of which none is bad."""
        peak = max(times)
        self.n += len(times)
        self.total += sum(times)
        self.peak = max(self.peak, peak)
        if peak > slow_after:
            self.slow += sum(ms > slow_after for ms in times)
        count(times, self.bins)
