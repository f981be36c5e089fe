"""Lengths of time as people read and write them."""

import re
from datetime import timedelta

from zena.cli import CommandError
from zena.kit.exits import Exit

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3_600, "d": 86_400}


def span(seconds: float | None) -> str:
    """Return `3 s`, `12 min`, `5 h`, `2 d`; a dash for nothing."""
    if seconds is None:
        return "-"
    for length, unit in _STEPS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(seconds: float) -> str:
    return f"{span(max(0.0, seconds))} ago"


def length(text: str) -> timedelta:
    """Return the length of `90s`, `15min`, `1h`, `2d`; anything else ends the command with 64."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)\s*(s|min|m|h|d)", text.strip().lower())
    if found is None:
        raise CommandError(f"{text!r} is no length of time: 90s, 15min, 1h, 2d", Exit.USAGE)
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])
