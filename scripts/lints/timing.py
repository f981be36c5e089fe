"""Time is asked of the clock."""

import ast
from collections.abc import Iterator

from scripts.lints.imports import SLICES
from scripts.lints.rule import Finding, Rule, Sample, Source, calls, name_of

_CALLS = frozenset({("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time")})


def _find(source: Source) -> Iterator[Finding]:
    if source.room.split("/")[0] not in SLICES:
        return
    for call in calls(source.nodes):
        if isinstance(call.func, ast.Attribute) and (name_of(call.func.value), call.func.attr) in _CALLS:
            yield call.lineno, f"{ast.unparse(call.func)}(): ask the clock that was handed in"


CLOCK = Rule(
    "clock",
    "limits, due dates and expiries are tested by moving the clock; a slice that looks at its own watch cannot be",
    _find,
    good=(
        Sample("src/zena/work/actions.py", "now = clock.now()\nstarted = time.monotonic()"),
        Sample("src/zena/kit/clock.py", "return datetime.now(UTC)"),
    ),
    bad=(
        Sample("src/zena/work/actions.py", "now = datetime.now(UTC)"),
        Sample("src/zena/work/actions.py", "today = date.today()"),
    ),
)
