"""Lines over time as SVG paths. Positions are computed here; colours, words and numbers belong to the template."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor, log10
from typing import Any, Final

WIDTH: Final = 320.0
HEIGHT: Final = 110.0
_HEAD: Final = 14.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its path, the value at the top of its scale, the latest and the largest value (None: no events)."""

    path: str
    top: float
    latest: float | None
    largest: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A change, drawn across the chart at `x`."""

    x: float
    change: dict[str, Any]


def line(values: Sequence[float | None], least_top: float = 1.0) -> Line:
    """Return the line of values side by side; None leaves a gap, a lonely value is drawn as a short dash."""
    seen = [value for value in values if value is not None]
    top = scale_top(max(seen, default=0.0), least_top)
    step = WIDTH / max(len(values) - 1, 1)
    parts, drawing = [], False
    for place, value in enumerate(values):
        if value is not None:
            y = HEIGHT - value / top * (HEIGHT - _HEAD)
            alone = not drawing and (place + 1 == len(values) or values[place + 1] is None)
            parts.append(f"{'L' if drawing else 'M'}{place * step:.1f} {y:.1f}{'h2' if alone else ''}")
        drawing = value is not None
    return Line("".join(parts), top, seen[-1] if seen else None, max(seen, default=None))


def scale_top(largest: float, least: float) -> float:
    """Return the round number (1, 2, 2.5 or 5 times a power of ten) that a scale ends with."""
    wanted = max(largest, least)
    unit = 10.0 ** floor(log10(wanted))
    return next(unit * by for by in (1, 2, 2.5, 5, 10) if unit * by >= wanted * (1 - 1e-9))


def marks(changes: Sequence[dict[str, Any]], since: datetime, until: datetime) -> list[Mark]:
    """Return where changes stand between two instants; those outside are left out."""
    length = (until - since).total_seconds()
    return [
        Mark(round((change["at"] - since).total_seconds() / length * WIDTH, 1), change)
        for change in changes
        if since <= change["at"] <= until
    ]
