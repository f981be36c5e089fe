"""Random days in the life of a firm, lived through the real actions; what a rule refuses does not happen."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from tests.factories import Firm
from zena.kit.errors import Problem
from zena.kit.scope import Scope
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.lifecycle import set_project_status
from zena.work.actions.move import move_task
from zena.work.actions.people import assign_task
from zena.work.actions.projects import create_project, trash_project, update_project
from zena.work.actions.tasks import create_task, update_task
from zena.work.actions.trash import restore_task, trash_task

PRIORITIES = ("low", "normal", "high", "urgent")


@dataclass(slots=True)
class History:
    """One firm on its way. `step` does one random thing and tells whether it was allowed."""

    state: State
    firm: Firm
    chance: random.Random
    at: datetime
    projects: list[UUID] = field(default_factory=list)
    tasks: list[UUID] = field(default_factory=list)

    @property
    def scope(self) -> Scope:
        return replace(self.firm.scope("owner"), at=self.at)

    async def step(self) -> bool:
        self.at += timedelta(hours=self.chance.choice((0, 1, 5, 30)))
        deeds = [self.new_task] * 5 + [self.move] * 6 + [self.change] * 2
        deeds += [
            self.assign,
            self.new_project,
            self.budget,
            self.lifecycle,
            self.trash,
            self.restore,
            self.trash_project,
        ]
        deed: Callable[[AsyncSession], Awaitable[None]] = self.chance.choice(deeds)
        return await self.do(deed)

    async def do(self, deed: Callable[[AsyncSession], Awaitable[None]]) -> bool:
        try:
            async with tenant_work(self.state.db, self.scope) as session:
                await deed(session)
        except (Problem, IndexError):
            return False
        return True

    async def new_project(self, session: AsyncSession, **fields: Any) -> None:
        given = {"priority": self.chance.choice(PRIORITIES), "end_on": self.day(-10, 60)} | fields
        project = await create_project(session, self.scope, name=f"Site {len(self.projects)}", **given)
        await session.flush()
        self.projects.append(project.id)

    async def new_task(self, session: AsyncSession, **fields: Any) -> None:
        people = list(self.firm.people.values())
        given: dict[str, Any] = {
            "priority": self.chance.choice(PRIORITIES),
            "due_on": self.day(-3, 8) if self.chance.random() < 0.7 else None,
            "estimate_min": self.chance.choice((None, 0, 60, 480)),
            "assignees": [self.chance.choice(people).member] if self.chance.random() < 0.6 else [],
        }
        if self.tasks and self.chance.random() < 0.15:
            given["parent_id"] = self.chance.choice(self.tasks)
        project = self.chance.choice(self.projects)
        made = await create_task(session, self.scope, project_id=project, name="Something to do", **(given | fields))
        self.tasks.append(made.task.id)

    async def move(self, session: AsyncSession) -> None:
        to = self.chance.choice(("in_progress", "in_progress", "done", "done", "blocked", "canceled", "backlog"))
        await self.take(session, self.chance.choice(self.tasks), to)

    async def take(self, session: AsyncSession, task: UUID, to: str) -> None:
        await move_task(session, self.scope, task_id=task, to=to, reason="because")

    async def change(self, session: AsyncSession) -> None:
        options = {"due_on": self.day(-5, 9), "priority": self.chance.choice(PRIORITIES), "estimate_min": 120}
        name = self.chance.choice(list(options))
        changes = {name: options[name]}
        await update_task(session, self.scope, task_id=self.chance.choice(self.tasks), changes=changes)

    async def assign(self, session: AsyncSession) -> None:
        people = [person.member for person in self.firm.people.values()]
        chosen = self.chance.sample(people, self.chance.randint(0, 2))
        await assign_task(session, self.scope, task_id=self.chance.choice(self.tasks), assignees=chosen)

    async def trash(self, session: AsyncSession) -> None:
        await trash_task(session, self.scope, task_id=self.chance.choice(self.tasks))

    async def restore(self, session: AsyncSession) -> None:
        await restore_task(session, self.scope, task_id=self.chance.choice(self.tasks))

    async def budget(self, session: AsyncSession) -> None:
        changes = {"budget_planned": self.chance.choice((None, 0, 1000)), "budget_actual": self.chance.randrange(1300)}
        await update_project(session, self.scope, project_id=self.chance.choice(self.projects), changes=changes)

    async def lifecycle(self, session: AsyncSession) -> None:
        status = self.chance.choice(("active", "active", "active", "on_hold", "completed", "cancelled", "archived"))
        project = self.chance.choice(self.projects)
        await set_project_status(session, self.scope, project_id=project, status=status)

    async def trash_project(self, session: AsyncSession) -> None:
        await trash_project(session, self.scope, project_id=self.chance.choice(self.projects))

    def day(self, first: int, last: int) -> Any:
        return self.scope.today + timedelta(days=self.chance.randint(first, last))
