"""What an incident is told as, in lines: what is wrong, why, what to do, and what was done."""

from collections.abc import Iterator
from typing import Final

from zena.operate.alerts.contract import Notice

#: Kinds of notices that call for somebody.
CALLS: Final = frozenset({"opened", "worse", "escalated", "reminder", "flapping"})
_REASONED: Final = CALLS | {"explained"}
_HEADS: Final = {
    "opened": "", "worse": "worse: ", "acknowledged": "acknowledged: ", "verdict": "remedy: ", "closed": "over: ",
    "reminder": "still open: ", "escalated": "not acknowledged: ", "flapping": "comes and goes: ", "test": "test: ",
    "explained": "cause found: ",
}  # fmt: skip


def headline(notice: Notice) -> str:
    """Return the one line that says what it is: `not acknowledged: high B1 Slow queries, label (incident 12)`."""
    scope = f", {notice.scope}" if notice.scope else ""
    number = f" (incident {notice.incident})" if notice.incident else ""
    what = " ".join(f"{notice.severity} {notice.symptom} {notice.title}".split())
    return " ".join(f"{_HEADS[notice.kind]}{what}{scope}{number}".split())


def lines(notice: Notice) -> Iterator[str]:
    """Return the whole notice for people. One that calls for nobody is short: the rest was told before."""
    yield headline(notice)
    if notice.told:
        yield notice.told
    if notice.kind in CALLS:
        yield notice.says
        if notice.reach:
            yield notice.reach
    if notice.kind in _REASONED:
        yield from _why(notice)
        yield from _what_to_do(notice)
    yield from (f"done: {one}" for one in notice.done)
    yield f"in the browser: {notice.link}" if notice.kind in _REASONED else notice.link


def _why(notice: Notice) -> Iterator[str]:
    if notice.cause:
        yield f"cause: {notice.cause}"
    yield from (f"  - {one}" for one in notice.evidence)


def _what_to_do(notice: Notice) -> Iterator[str]:
    if notice.remedy:
        yield f"remedy: {notice.remedy}"
        yield f"  plan it: {notice.plan}"
    if notice.next and not notice.plan.startswith(notice.next):
        yield f"look: {notice.next}"
    yield f"take it: zena incident ack {notice.incident}"
