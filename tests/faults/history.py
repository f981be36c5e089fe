"""What clients did and were told, and whether what is there in the end can be explained by it.

A history is a list of entries as JSON would hold them; every complaint is a sentence. An entry whose result is
`unknown` may or may not have happened, but not twice.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Result = Literal["ok", "fail", "unknown"]

#: What makes something new: its unique name, under `args["name"]`, tells whether and how often it happened.
MAKERS = ("create", "comment", "invite")
#: What gives a task its next version.
CHANGERS = ("move", "bulk")
#: Events that stand for one version of a task each.
VERSIONED = frozenset({"task.created", "task.moved", "task.updated"})


@dataclass(slots=True)
class Entry:
    """One operation of one client. `versions` holds what the answer said of each task."""

    process: int
    op: str
    args: dict[str, Any]
    result: Result = "unknown"
    start: float = 0.0
    end: float = 0.0
    attempts: int = 1
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def tasks(self) -> list[str]:
        """The tasks it changes."""
        return list(self.args.get("tasks", ()))


@dataclass(slots=True)
class Final:
    """What is there in the end: names with how often each, tasks with their versions, events in their order."""

    made: Counter[str] = field(default_factory=Counter)
    versions: dict[str, int] = field(default_factory=dict)
    events: list[tuple[int, str, str]] = field(default_factory=list)
    head: int = 0


def as_json(history: Iterable[Entry]) -> str:
    return "\n".join(json.dumps(asdict(entry)) for entry in history)


def from_json(text: str) -> list[Entry]:
    return [Entry(**json.loads(line)) for line in text.splitlines()]


def complaints(history: Sequence[Entry], final: Final) -> list[str]:
    """Return everything that is wrong; nothing is the good answer."""
    return [
        *_made_once(history, final.made),
        *_nothing_unasked(history, final.made),
        *_versions_in_order(history),
        *_reads_in_order(history),
        *_versions_accounted_for(history, final.versions),
        *_events_without_gap(final),
        *_events_match(final),
    ]


def _made_once(history: Sequence[Entry], made: Mapping[str, int]) -> Iterator[str]:
    """What was acknowledged is there, what was refused is not, and nothing is there twice."""
    for entry in history:
        if entry.op not in MAKERS:
            continue
        count = made.get(entry.args["name"], 0)
        allowed = {"ok": (1,), "fail": (0,), "unknown": (0, 1)}[entry.result]
        if count not in allowed:
            yield f"{entry.op} {entry.args['name']} was told {entry.result} and is there {count} times"


def _nothing_unasked(history: Sequence[Entry], made: Mapping[str, int]) -> Iterator[str]:
    asked = {entry.args["name"] for entry in history if entry.op in MAKERS}
    yield from (f"{name} is there and nobody asked for it" for name in made if name not in asked)


def _versions_in_order(history: Sequence[Entry]) -> Iterator[str]:
    """Two acknowledged writes of a task never share a version, and the later one has the higher."""
    for task, writes in _by_task(history, (*CHANGERS, "create")).items():
        seen = Counter(entry.versions[task] for entry in writes)
        yield from (f"version {version} of {task} was given {n} times" for version, n in seen.items() if n > 1)
        yield from _steps_back(task, writes, writes)


def _reads_in_order(history: Sequence[Entry]) -> Iterator[str]:
    """Whoever reads sees what was acknowledged before, and never an older state than somebody has seen before."""
    told = _by_task(history, (*CHANGERS, "create", "read"))
    for task, reads in _by_task(history, ("read",)).items():
        yield from _steps_back(task, told[task], reads)


def _steps_back(task: str, earlier: Sequence[Entry], later: Sequence[Entry]) -> Iterator[str]:
    ended = sorted(earlier, key=lambda entry: entry.end)
    highest, position = 0, 0
    for entry in sorted(later, key=lambda entry: entry.start):
        while position < len(ended) and ended[position].end < entry.start:
            highest = max(highest, ended[position].versions[task])
            position += 1
        if entry.versions[task] < highest:
            yield f"{entry.op} by {entry.process} told version {entry.versions[task]} of {task} after {highest}"


def _versions_accounted_for(history: Sequence[Entry], versions: Mapping[str, int]) -> Iterator[str]:
    """A task's last version is one, plus the acknowledged changes, plus at most those nobody knows about."""
    known: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for entry in history:
        if entry.op in CHANGERS and entry.result == "ok":
            known.update(list(entry.versions))
        elif entry.op in CHANGERS and entry.result == "unknown":
            unknown.update(entry.tasks)
    for task, version in versions.items():
        if not known[task] <= version - 1 <= known[task] + unknown[task]:
            yield f"{task} is at version {version} after {known[task]} known and {unknown[task]} unknown changes"
    yield from (f"{task} was changed and is gone" for task in known if task not in versions)


def _events_without_gap(final: Final) -> Iterator[str]:
    positions = sorted(position for position, _, _ in final.events)
    if positions != list(range(1, final.head + 1)):
        gaps = sorted(set(range(1, final.head + 1)).symmetric_difference(positions))
        yield f"{len(positions)} events up to position {final.head}; the first that is wrong is {gaps[:1]}"


def _events_match(final: Final) -> Iterator[str]:
    """Each version of a task was told by one event."""
    told = Counter(subject for _, kind, subject in final.events if kind in VERSIONED)
    for task, version in final.versions.items():
        if told[task] != version:
            yield f"{task} is at version {version} and {told[task]} events tell of it"


def _by_task(history: Sequence[Entry], ops: Sequence[str]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in history:
        if entry.op in ops and entry.result == "ok":
            for task in entry.versions:
                found[task].append(entry)
    return found
