"""The promises, as data. Each counts events of some series; the runbook's limits are where good ends."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["budget", "goal"]


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise. `families` are metrics whose events count; `bad_counts` and `slow_counts` say what is not good.

    Where only slowness is promised, failed events are not counted at all: they have an objective of their own.
    A `goal` is watched over the last hour and has no budget that could be spent.
    """

    id: str
    title: str
    target: float
    families: tuple[str, ...]
    bad_counts: bool = False
    slow_counts: bool = False
    kind: Kind = "budget"


OBJECTIVES: Final = (
    Objective("dashboard", "Dashboard within 500 ms", 0.95, ("http.dashboard",), slow_counts=True),
    Objective("api", "API within 300 ms", 0.95, ("http.api",), slow_counts=True),
    Objective(
        "errors", "Requests without an error of ours", 0.99,
        ("http.dashboard", "http.api", "http.page", "http.heavy", "http.anonymous"), bad_counts=True,
    ),
    Objective("database", "Statements within 100 ms", 0.95, ("query",), slow_counts=True),
    Objective("queue", "Jobs begun within 60 s", 0.99, ("job.wait",), slow_counts=True),
    Objective("delivery", "Live updates within 2 s", 0.999, ("ws.delivery",), bad_counts=True, slow_counts=True),
    Objective("sign_in", "Sign-in works", 0.999, ("sign_in",), bad_counts=True),
    Objective("cache", "Look-ups answered from the cache", 0.80, ("cache",), bad_counts=True, kind="goal"),
)  # fmt: skip
BY_ID: Final = {objective.id: objective for objective in OBJECTIVES}
