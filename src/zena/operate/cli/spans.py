"""Lengths of time as people read them."""

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


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
