"""Whatever people do, in whatever order: counters, progress, levels and links are as if recomputed from the tasks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tests.factories import Firm, make_firm
from tests.work.conftest import AddsUp
from tests.work.making import made_project
from zena.accounts.permissions import Role
from zena.kit.errors import Problem
from zena.kit.scope import Scope
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.bulk import Wish, change_tasks
from zena.work.actions.copies import duplicate_task
from zena.work.actions.insert import insert_tasks
from zena.work.actions.lifecycle import set_project_status
from zena.work.actions.move import move_task
from zena.work.actions.people import Picked, assign_task
from zena.work.actions.place import Place
from zena.work.actions.planned import NewTask
from zena.work.actions.tasks import create_task, update_task
from zena.work.actions.trash import purge_task, restore_task, trash_task
from zena.work.actions.undo import undo_bulk
from zena.work.models import Task
from zena.work.workflow import TASK_MOVES, ProjectStatus, TaskStatus

PRIORITIES: Final = ("low", "normal", "high", "urgent")
#: Which task, which other, and three small numbers each verb reads as it likes.
Step = tuple[str, int, int, int]


@dataclass(slots=True)
class Site:
    """One project under way, and what the test knows of it."""

    state: State
    firm: Firm
    scope: Scope
    project: UUID
    tasks: list[UUID] = field(default_factory=list)
    bulks: list[UUID] = field(default_factory=list)

    def task(self, pick: int) -> UUID:
        return self.tasks[pick % len(self.tasks)]

    def member(self, pick: int) -> UUID:
        return self.firm.people[(Role.PM, Role.MEMBER, Role.VIEWER)[pick % 3]].member


Verb = Callable[[AsyncSession, Site, int, int, int], Awaitable[Any]]


async def create(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    fields: dict[str, Any] = {
        "parent_id": site.task(b) if c % 3 == 0 else None,
        "estimate_min": (None, 0, 60, 90)[c % 4],
        "due_on": site.scope.today + timedelta(days=a % 7 - 3),
        "priority": PRIORITIES[b % 4],
        "assignees": [site.member(a)],
    }
    held = await create_task(session, site.scope, project_id=site.project, name="T", **fields)
    site.tasks.append(held.task.id)


async def insert(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    top = NewTask("Top", progress=a % 101, estimate_min=b % 50)
    below = [
        NewTask("Below", parent_id=top.id, status=list(TaskStatus)[(b + n) % 5], reason="x", progress=(c * n) % 101)
        for n in range(a % 4)
    ]
    await insert_tasks(session, site.scope, project_id=site.project, tasks=[*below, top])
    site.tasks += [task.id for task in (*below, top)]


async def move(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    place = Place(after=site.task(c)) if c % 2 else None
    to = list(TaskStatus)[b % 5]
    old = await session.scalar(select(Task.status).where(Task.id == site.task(a)))
    moved = await move_task(session, site.scope, task_id=site.task(a), to=to, reason="because", place=place)
    assert moved.task.status == to
    assert to == old or to in TASK_MOVES[str(old)]


async def change(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    wishes: list[dict[str, Any]] = [
        {"progress": c % 101},
        {"estimate_min": c % 200, "priority": PRIORITIES[c % 4]},
        {"due_on": None if c % 2 else site.scope.today},
        {"parent_id": None if c % 3 == 0 else site.task(c)},
        {"name": "New", "internal": bool(c % 2)},
    ]
    await update_task(session, site.scope, task_id=site.task(a), changes=wishes[b % 5])


async def assign(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    people = Picked(add=[site.member(b)]) if c % 2 else Picked(remove=[site.member(b)])
    await assign_task(session, site.scope, task_id=site.task(a), assignees=people)


async def trash(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    await trash_task(session, site.scope, task_id=site.task(a))


async def restore(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    await restore_task(session, site.scope, task_id=site.task(a))


async def purge(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    await purge_task(session, site.scope, task_id=site.task(a))


async def copy(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    site.tasks.append((await duplicate_task(session, site.scope, task_id=site.task(a))).task.id)


async def project(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    status = list(ProjectStatus)[b % 6]
    cascade = "cancel" if c % 2 else None
    await set_project_status(session, site.scope, project_id=site.project, status=status, cascade=cascade)


async def bulk(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    ids = [site.task(pick) for pick in (a, b, c)]
    wish = [
        Wish(status=list(TaskStatus)[a % 5], reason="because"),
        Wish(set={"priority": PRIORITIES[a % 4], "parent_id": site.task(c)}),
        Wish(status=list(TaskStatus)[a % 5], reason="because", assign=Picked(add=[site.member(b)])),
        Wish(trash=True),
    ][c % 4]
    done = await change_tasks(session, site.scope, ids=ids, wish=wish)
    site.bulks += [done.id] if done.id else []


async def undo(session: AsyncSession, site: Site, a: int, b: int, c: int) -> None:
    if site.bulks:
        await undo_bulk(session, site.scope, bulk_id=site.bulks[a % len(site.bulks)])


VERBS: Final[dict[str, Verb]] = {
    verb.__name__: verb
    for verb in (create, insert, move, change, assign, trash, restore, purge, copy, project, bulk, undo)
}
NUMBER = st.integers(0, 59)
STEPS = st.lists(
    st.tuples(st.sampled_from([*VERBS, "move", "move", "change"]), NUMBER, NUMBER, NUMBER), min_size=12, max_size=40
)


async def run(site: Site, step: Step) -> None:
    """Take one step in its own transaction; a refusal is an answer like any other."""
    name, a, b, c = step
    known = list(site.tasks)
    try:
        async with tenant_work(site.state.db, site.scope) as session:
            await VERBS[name](session, site, a, b, c)
    except Problem:
        site.tasks = known


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
async def test_everything_adds_up_after_any_history(state: State, adds_up: AddsUp, steps: list[Step]) -> None:
    firm = await make_firm(state.db)
    site = Site(state, firm, firm.scope("owner"), await made_project(state, firm, by="owner"))
    async with tenant_work(state.db, site.scope) as session:
        held = await create_task(session, site.scope, project_id=site.project, name="First")
    site.tasks.append(held.task.id)
    for step in [("create", 2, 0, 0), ("create", 3, 1, 0), *steps]:
        await run(site, step)
    await adds_up(firm)
