"""From a mapped table to tasks that could be made: every mistake found in one pass, each with its line and column."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from zena.kit.i18n import N_
from zena.work.actions.dependencies import MAX_PER_TASK
from zena.work.imports import values
from zena.work.imports.columns import Target
from zena.work.imports.table import Table
from zena.work.imports.values import Wrong

#: More mistakes than this are counted but not listed.
LISTED = 500
SHOWN = 40
_TOO_MANY = N_("A task has at most %(most)s dependencies on each side.", most=MAX_PER_TASK)


class LineError(msgspec.Struct, frozen=True):
    """One refused cell; `value` is cut to 40 characters."""

    line: int
    column: str
    code: str
    message: str
    value: str


@dataclass(slots=True)
class Planned:
    """One row as a task to be. `parent` and the links name other rows by their reference."""

    line: int
    ref: str
    name: str
    description: str = ""
    status: str = "backlog"
    priority: str = "normal"
    start: date | None = None
    due: date | None = None
    estimate: int | None = None
    progress: int = 0
    assignees: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    parent: str | None = None
    predecessors: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """What a file would make. `errors` empty means it can be applied."""

    tasks: list[Planned] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)
    mistakes: int = 0

    @property
    def links(self) -> int:
        return sum(len(task.predecessors) for task in self.tasks)

    def refuse(self, line: int, column: str, code: str, message: str, value: str) -> None:
        self.mistakes += 1
        if len(self.errors) < LISTED:
            self.errors.append(LineError(line, column, code, message, value[:SHOWN]))


_READERS: dict[Target, tuple[str, Callable[[str], Any]]] = {
    Target.NAME: ("name", values.name),
    Target.DESCRIPTION: ("description", values.description),
    Target.STATUS: ("status", values.status),
    Target.PRIORITY: ("priority", values.priority),
    Target.START: ("start", values.day),
    Target.DUE: ("due", values.day),
    Target.ESTIMATE: ("estimate", values.minutes),
    Target.PROGRESS: ("progress", values.percent),
    Target.ASSIGNEES: ("assignees", values.addresses),
    Target.LABELS: ("labels", values.words),
    Target.PARENT: ("parent", str),
    Target.PREDECESSORS: ("predecessors", values.links),
}


def plan(table: Table, places: Mapping[Target, int]) -> Plan:
    """Read every row, then check what rows say about each other. Knows nothing of the database."""
    found = Plan()
    columns = {target: table.header[place] for target, place in places.items()}
    lines: dict[str, int] = {}
    for line, cells in table.rows:
        task = _task(found, line, cells, places, columns)
        if task.ref in lines:
            message = N_("The reference stands in line %(line)s already.", line=lines[task.ref])
            found.refuse(line, columns.get(Target.REF, ""), "duplicate", message, task.ref)
        lines.setdefault(task.ref, line)
        found.tasks.append(task)
    by_ref = {task.ref: task for task in reversed(found.tasks)}
    for task in found.tasks:
        _check_dates(found, task, columns)
        _check_references(found, task, by_ref, columns)
    _check_followers(found, columns)
    _check_circles(found, by_ref, columns)
    found.errors.sort(key=lambda error: error.line)
    return found


def _task(
    found: Plan, line: int, cells: list[str], places: Mapping[Target, int], columns: Mapping[Target, str]
) -> Planned:
    ref = cells[places[Target.REF]] if Target.REF in places else ""
    task = Planned(line=line, ref=ref or f"line {line}", name="")
    for target, place in places.items():
        cell = cells[place]
        if target is Target.REF or (not cell and target is not Target.NAME):
            continue
        attribute, read = _READERS[target]
        try:
            setattr(task, attribute, read(cell))
        except Wrong as wrong:
            found.refuse(line, columns[target], wrong.code, wrong.message, cell)
    return task


def _check_dates(found: Plan, task: Planned, columns: Mapping[Target, str]) -> None:
    if task.start and task.due and task.due < task.start:
        message = N_("This is before the start, %(start)s.", start=task.start)
        found.refuse(task.line, columns[Target.DUE], "order", message, task.due.isoformat())


def _check_references(found: Plan, task: Planned, by_ref: Mapping[str, Planned], columns: Mapping[Target, str]) -> None:
    if task.parent is not None and task.parent not in by_ref:
        found.refuse(task.line, columns[Target.PARENT], "unknown", N_("No row has this reference."), task.parent)
        task.parent = None
    known: dict[str, tuple[str, str, int]] = {}
    for link in task.predecessors:
        wrong = _wrong_link(link[0], task, by_ref, known)
        if wrong:
            found.refuse(task.line, columns[Target.PREDECESSORS], wrong[0], wrong[1], link[0])
        else:
            known[link[0]] = link
    task.predecessors = list(known.values())


def _wrong_link(
    ref: str, task: Planned, by_ref: Mapping[str, Planned], known: Mapping[str, Any]
) -> tuple[str, str] | None:
    if ref not in by_ref:
        return "unknown", N_("No row has this reference.")
    if ref == task.ref:
        return "self", N_("A task cannot wait for itself.")
    if ref in known:
        return "duplicate", N_("These two tasks are linked already.")
    if len(known) >= MAX_PER_TASK:
        return "too_many", _TOO_MANY
    return None


def _check_followers(found: Plan, columns: Mapping[Target, str]) -> None:
    """Refuse the link that makes one task be waited for by more than may wait for it."""
    waiting: Counter[str] = Counter()
    for task in found.tasks:
        for ref, _, _ in task.predecessors:
            waiting[ref] += 1
            if waiting[ref] == MAX_PER_TASK + 1:
                found.refuse(task.line, columns[Target.PREDECESSORS], "too_many", _TOO_MANY, ref)


def _check_circles(found: Plan, by_ref: Mapping[str, Planned], columns: Mapping[Target, str]) -> None:
    parents = {ref: [task.parent] if task.parent else [] for ref, task in by_ref.items()}
    waits = {ref: [link[0] for link in task.predecessors] for ref, task in by_ref.items()}
    for graph, target in ((parents, Target.PARENT), (waits, Target.PREDECESSORS)):
        for circle in circles(graph):
            task = by_ref[circle[0]]
            message = N_("This closes a circle: %(refs)s.", refs=" → ".join([*circle, circle[0]][:12]))
            found.refuse(task.line, columns[target], "cycle", message, circle[1 % len(circle)])


def circles(graph: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Yield circles of a graph, at least one for each tangle; no recursion, so depth does not matter."""
    state: dict[str, int] = {}
    for start in graph:
        if start in state:
            continue
        path: list[str] = []
        stack = [(start, iter(graph[start]))]
        state[start] = 1
        path.append(start)
        while stack:
            _, edges = stack[-1]
            following = next(edges, None)
            if following is None:
                state[path.pop()] = 2
                stack.pop()
            elif state.get(following) == 1:
                yield path[path.index(following) :]
            elif following not in state:
                state[following] = 1
                path.append(following)
                stack.append((following, iter(graph[following])))
