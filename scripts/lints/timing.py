"""Time is asked of the clock, and waits end when they are told to."""

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


def _find_waits(source: Source) -> Iterator[Finding]:
    if not source.room:
        return
    for call in calls(source.nodes):
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "wait_for"
            and name_of(call.func.value) == "asyncio"
        ):
            yield call.lineno, "asyncio.wait_for(): use `async with asyncio.timeout(...)`"


WAITS = Rule(
    "wait-for",
    "before Python 3.12 wait_for drops a cancellation that comes just as the awaited thing is done: who cancels hangs",
    _find_waits,
    good=(Sample("src/zena/kit/queue/worker.py", "async with asyncio.timeout(2):\n    await stop.wait()"),),
    bad=(Sample("src/zena/kit/queue/worker.py", "await asyncio.wait_for(stop.wait(), 2)"),),
)
