"""Copies: of a task, of a project with or without its tasks."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.work.actions.insert import insert_many
from zena.work.actions.keys import key_like
from zena.work.actions.place import Place
from zena.work.actions.planned import NewLink, NewTask
from zena.work.actions.projects import EDITABLE, MONEY, add_project
from zena.work.actions.tasks import PLAIN, create_one
from zena.work.change import Change, change
from zena.work.events import ProjectCreated
from zena.work.models import Project, Task
from zena.work.policy import Held, Lock, access_ground, access_task
from zena.work.queries.sight import is_client

NAME_LENGTH: Final = 255
#: What a copy of a task starts anew.
_FRESH: Final = frozenset({"progress", "spent_min"})
_ACTIVE: Final = text("SELECT id FROM membership WHERE tenant_id = :tenant AND id = ANY(:ids) AND ended_at IS NULL")
_LINKS: Final = text("""
SELECT d.predecessor_id, d.successor_id, d.type, d.lag_min
  FROM task_dependency d
  JOIN task a ON a.tenant_id = d.tenant_id AND a.id = d.predecessor_id
  JOIN task b ON b.tenant_id = d.tenant_id AND b.id = d.successor_id
 WHERE d.tenant_id = :tenant AND a.project_id = :project AND b.project_id = :project
   AND a.deleted_at IS NULL AND b.deleted_at IS NULL""")


async def duplicate_task(session: AsyncSession, scope: Scope, *, task_id: UUID) -> Held:
    """Copy one task, without sub-tasks and dependencies, right behind itself; it starts in the backlog.

    Assignees come along if the actor may assign.
    """
    async with change(session, scope) as made:
        source = (await access_task(session, scope, task_id, Permission.TASKS_CREATE)).task
        fields = {name: getattr(source, name) for name in PLAIN - _FRESH}
        fields |= {"name": _copied(source.name), "labels": source.label_ids}
        if scope.may(Permission.TASKS_ASSIGN):
            fields["assignees"] = await _still_here(made, source.assignee_ids)
        return await create_one(made, source.project_id, fields, Place(after=source.id), copied=source.id)


async def duplicate_project(
    session: AsyncSession,
    scope: Scope,
    *,
    project_id: UUID,
    name: str | None = None,
    key: str | None = None,
    tasks: bool = True,
) -> Project:
    """Copy a project into a new one in planning, with its live tasks, their labels, people and links if wanted."""
    async with change(session, scope) as made:
        await access_ground(session, scope, project_id, Permission.PROJECTS_VIEW, lock=Lock.SHARED)
        source = (await session.scalars(_project(scope, project_id))).one()
        copied = EDITABLE - {"owner_id"} - (set() if scope.may(Permission.COST_EDIT) else set(MONEY))
        fields = {field: getattr(source, field) for field in copied} | {"name": name or _copied(source.name)}
        chosen = key or await key_like(session, scope, source.key.rstrip("0123456789"))
        project = await add_project(made, fields, chosen)
        count = await _copy_tasks(made, source, project) if tasks and not is_client(scope) else 0
        made.record(
            ProjectCreated(
                subject=project.id,
                project=project.id,
                key=project.key,
                name=project.name,
                copied_from=source.id,
                tasks=count,
            )
        )
        return project


async def _copy_tasks(made: Change, source: Project, project: Project) -> int:
    ground = await access_ground(made.session, made.scope, project.id, Permission.TASKS_CREATE, lock=Lock.ALONE)
    query = select(Task).where(
        Task.tenant_id == made.scope.tenant, Task.project_id == source.id, Task.deleted_at.is_(None)
    )
    rows = list(await made.session.scalars(query.order_by(Task.rank)))
    ids = {row.id: new_id() for row in rows}
    people = set(await _still_here(made, list({one for row in rows for one in row.assignee_ids})))
    tasks = [
        NewTask(
            id=ids[row.id],
            parent_id=row.parent_id and ids[row.parent_id],
            assignees=[one for one in row.assignee_ids if one in people],
            labels=row.label_ids,
            **{name: getattr(row, name) for name in PLAIN - _FRESH - {"parent_id"}},
        )
        for row in rows
    ]
    given = {"tenant": made.scope.tenant, "project": source.id}
    found = await made.session.execute(_LINKS, given)
    links = [NewLink(ids[row.predecessor_id], ids[row.successor_id], row.type, row.lag_min) for row in found]
    await insert_many(made, ground, tasks, links)
    return len(tasks)


async def _still_here(made: Change, members: Sequence[UUID]) -> list[UUID]:
    found = set(await made.session.scalars(_ACTIVE, {"tenant": made.scope.tenant, "ids": list(members)}))
    return [one for one in members if one in found]


def _project(scope: Scope, project_id: UUID) -> Select[Project]:
    return select(Project).where(Project.tenant_id == scope.tenant, Project.id == project_id)


def _copied(name: str) -> str:
    tail = " (copy)"
    return name[: NAME_LENGTH - len(tail)] + tail
