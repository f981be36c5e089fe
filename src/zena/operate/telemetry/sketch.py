"""Durations in logarithmic bins: any quantile within 2%, and merging is adding (DDSketch, VLDB 2019).

Averages of percentiles over processes would be wrong; sums of bins are right.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

#: Largest relative error of a quantile.
ACCURACY: Final = 0.02
GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA: Final = math.log(GAMMA)
#: What is quicker counts as this, milliseconds; one microsecond.
_LEAST: Final = 0.001


def bin_of(ms: float) -> int:
    """Return the bin of a duration in milliseconds: bin i holds (GAMMA^(i-1), GAMMA^i]."""
    return math.ceil(math.log(ms if ms > _LEAST else _LEAST) / _LOG_GAMMA)  # noqa: FURB136 - max() is a call


def count(times: Sequence[float], bins: dict[int, int]) -> None:
    """Add durations in milliseconds to the bins they belong to."""
    log, ceil, width = math.log, math.ceil, _LOG_GAMMA  # this runs for every statement there is
    for ms in times:
        number = ceil(log(ms if ms > _LEAST else _LEAST) / width)  # noqa: FURB136 - as above
        bins[number] = bins.get(number, 0) + 1


def value_of(number: int) -> float:
    """Return the duration a bin stands for, milliseconds: at most ACCURACY away from any in it."""
    return float(2 * GAMMA**number / (GAMMA + 1))


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the quantile (0.95: the value below which 95% are) by nearest rank; None of nothing."""
    rank = math.ceil(share * sum(counts.values()))
    reached = 0
    for number in sorted(counts):
        reached += counts[number]
        if reached >= max(rank, 1):
            return value_of(number)
    return None


def merged(sketches: Iterable[tuple[Iterable[int], Iterable[int]]]) -> dict[int, int]:
    """Return the sum of sketches given as bins and counts."""
    total: dict[int, int] = {}
    for bins, counts in sketches:
        for number, count in zip(bins, counts, strict=True):
            total[number] = total.get(number, 0) + count
    return total
