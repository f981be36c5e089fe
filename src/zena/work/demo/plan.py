"""The demonstration firm's tasks, laid out over time: what is done, what runs, what is late. No database here."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from zena.kit.ids import new_id
from zena.work.actions.planned import NewLink, NewTask
from zena.work.demo.content import REASONS, Phase, Site

#: The same firm each time: a demonstration that changes is hard to talk about.
SEED = 14
#: Tasks of a site that are being worked on and in time.
RUNNING = 6


@dataclass(slots=True)
class Draft:
    """A task while it is being laid out."""

    id: UUID
    name: str
    description: str
    parent_id: UUID | None
    start_on: date
    due_on: date
    priority: str = "normal"
    status: str = "backlog"
    progress: int = 0
    estimate_min: int | None = None
    assignees: list[UUID] = field(default_factory=list)
    labels: list[UUID] = field(default_factory=list)
    reason: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    closed_at: datetime | None = None

    def finished(self) -> NewTask:
        return NewTask(**{name: getattr(self, name) for name in self.__slots__})


@dataclass(slots=True)
class Laid:
    """A project's tasks and links, in order."""

    tasks: list[NewTask] = field(default_factory=list)
    links: list[NewLink] = field(default_factory=list)


@dataclass(slots=True)
class Cast:
    """Who works here, by membership, and the labels by name."""

    crew: Sequence[UUID]
    labels: dict[str, UUID]


def lay_out(site: Site, cast: Cast, today: date) -> Laid:
    """Spread a site's steps between its start and its end and give each the state its date suggests."""
    chance = random.Random(f"{SEED}:{site.key}")  # noqa: S311 - not a secret
    steps = list(_steps(site))
    span = site.end - site.start
    laid = Laid()
    parents: dict[tuple[str, ...], UUID] = {}
    before: dict[tuple[str, ...], UUID] = {}
    late, blocked, running = site.late, site.blocked, RUNNING
    groups = {path for path, _, _ in steps}
    for place, (path, name, phase) in enumerate(steps):
        is_group = (*path, name) in groups
        start = today + timedelta(days=site.start + span * place // len(steps))
        due = start + timedelta(days=max(3, span // 24))
        done = place < site.done * len(steps)
        task = _task(name, phase, path, parents, (start, due))
        task.labels = [cast.labels[phase.label]] if not is_group else []
        task.estimate_min = None if is_group else chance.choice((240, 480, 960, 1440, 2400))
        task.assignees = [] if is_group else chance.sample(list(cast.crew), chance.choice((1, 1, 1, 2)))
        parents[*path, name] = task.id
        if not is_group:
            _link(laid, before, path, task.id)
        if done:
            _finish(task, start, min(due, today))
        elif not is_group and late + blocked > 0:
            late, blocked = _trouble(task, chance, today, (late, blocked))
        elif not is_group and running > 0:
            running -= 1
            task.status, task.progress = "in_progress", chance.choice((10, 30, 50, 70))
            task.start_on, task.due_on = today - timedelta(days=4), today + timedelta(days=RUNNING - running)
            task.started_at = _noon(task.start_on)
        task.created_at = _noon(today + timedelta(days=site.start))
        laid.tasks.append(task.finished())
    return laid


def _steps(site: Site) -> Iterator[tuple[tuple[str, ...], str, Phase]]:
    """Yield (path of parents, name, phase) in the order of work."""
    for phase in site.phases:
        yield (), phase.name, phase
        for zone in phase.zones or ("",):
            path: tuple[str, ...] = (phase.name,)
            if zone:
                group = f"{phase.name}, {zone}"
                yield path, group, phase
                path = (*path, group)
            for step in phase.steps:
                yield path, f"{step}, {zone}" if zone else step, phase


def _task(
    name: str, phase: Phase, path: tuple[str, ...], parents: dict[tuple[str, ...], UUID], days: tuple[date, date]
) -> Draft:
    parent = parents.get(path)
    return Draft(
        id=new_id(),
        name=name,
        description=f"Part of **{phase.name}**. See the method statement and the latest drawings before starting."
        if path
        else "",
        parent_id=parent,
        start_on=days[0],
        due_on=days[1],
    )


def _link(laid: Laid, before: dict[tuple[str, ...], UUID], path: tuple[str, ...], task: UUID) -> None:
    if path in before:
        laid.links.append(NewLink(before[path], task, "FS", 0))
    before[path] = task


def _finish(task: Draft, start: date, end: date) -> None:
    task.status, task.progress = "done", 100
    task.started_at, task.closed_at = _noon(start), _noon(max(start, end))


def _trouble(task: Draft, chance: random.Random, today: date, left: tuple[int, int]) -> tuple[int, int]:
    late, blocked = left
    task.start_on = today - timedelta(days=chance.randint(14, 30))
    task.due_on = today - timedelta(days=chance.randint(1, 9))
    task.started_at = _noon(task.start_on)
    if blocked and chance.random() < blocked / (late + blocked):
        task.status, task.reason, task.priority = "blocked", chance.choice(REASONS), "high"
        return late - 1 if late else 0, blocked - 1
    task.status, task.progress, task.priority = "in_progress", chance.choice((20, 40, 60, 80)), "high"
    return max(late - 1, 0), blocked


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(9), UTC)
