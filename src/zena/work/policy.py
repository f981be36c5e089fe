"""Who may do what with which project or task. The only place that fetches one of them by id to be changed.

The role in the firm gives the most; the part in the project narrows it. What the actor may not even see answers 404,
in the same bytes as what is not there; where only the verb is refused, 403 names the permission.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypedDict
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission, Role
from zena.kit.errors import Forbidden, NotFound
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.work.models import Project, Task

READS: Final = frozenset({Permission.PROJECTS_VIEW, Permission.TASKS_VIEW, Permission.REPORTS_VIEW})
DELETES: Final = frozenset({Permission.PROJECTS_DELETE, Permission.TASKS_DELETE})
RULERS: Final = frozenset({Role.OWNER, Role.ADMIN})
WRITERS: Final = frozenset({"manager", "contributor"})

_GROUND = """
SELECT p.id, p.key, p.status, p.owner_id, p.created_by, m.role
  FROM project p
  LEFT JOIN project_member m ON m.tenant_id = p.tenant_id AND m.project_id = p.id AND m.member_id = :member
 WHERE p.tenant_id = :tenant AND p.id = {project} AND p.deleted_at IS {trashed} {lock}"""
_OF_TASK = "(SELECT t.project_id FROM task t WHERE t.tenant_id = :tenant AND t.id = :id)"


class Lock(StrEnum):
    """How a project is held while its tasks are changed; none for reading."""

    NONE = ""
    SHARED = "FOR SHARE OF p"
    ALONE = "FOR NO KEY UPDATE OF p"


@dataclass(frozen=True, slots=True)
class Ground:
    """The project under a task, and the actor's part in it: manager, contributor, viewer, or None."""

    id: UUID
    key: str
    status: str
    owner_id: UUID | None
    created_by: UUID | None
    role: str | None
    owns: bool

    @property
    def leads(self) -> bool:
        return self.owns or self.role == "manager"


class Told(TypedDict):
    """The common fields of a task's events."""

    subject: UUID
    project: UUID
    key: str
    internal: bool


class Held(NamedTuple):
    """A task that may be used as asked, with its project."""

    task: Task
    ground: Ground

    @property
    def key(self) -> str:
        """What people call the task: HBR-142."""
        return f"{self.ground.key}-{self.task.number}"

    def told(self, *, hidden: bool = False) -> "Told":
        """Return what every event of this task carries; `hidden` keeps the event from clients."""
        internal = hidden or self.task.internal
        return Told(subject=self.task.id, project=self.ground.id, key=self.key, internal=internal)


_STATEMENTS: Final = {
    (kind, trashed, lock): text(
        _GROUND.format(project=project, trashed="NOT NULL" if trashed else "NULL", lock=str(lock))
    )
    for kind, project in (("project", ":id"), ("task", _OF_TASK))
    for trashed in (False, True)
    for lock in Lock
}
_PROJECTS_OF: Final = text("""
SELECT p.id, p.key, p.status, p.owner_id, p.created_by, m.role
  FROM project p
  LEFT JOIN project_member m ON m.tenant_id = p.tenant_id AND m.project_id = p.id AND m.member_id = :member
 WHERE p.tenant_id = :tenant AND p.deleted_at IS NULL
   AND p.id IN (SELECT t.project_id FROM task t WHERE t.tenant_id = :tenant AND t.id = ANY(:ids))
 ORDER BY p.id FOR NO KEY UPDATE OF p""")
_HELD: Final = "held_projects"
_LOADED: Final = "loaded_tasks"


async def access_ground(
    session: AsyncSession, scope: Scope, project_id: UUID, permission: Permission, *, lock: Lock = Lock.NONE
) -> Ground:
    """Return a live project in which the actor may do this."""
    ground = await _ground(session, scope, "project", project_id, lock=lock)
    if ground is None:
        raise NotFound.of("project", project_id)
    check_verb(scope, ground, permission)
    return ground


async def access_project(
    session: AsyncSession, scope: Scope, project_id: UUID, permission: Permission, *, trashed: bool = False
) -> Project:
    """Fetch a project to change it itself, locked; `trashed` looks in the trash instead of among the live ones."""
    ground = await _ground(session, scope, "project", project_id, lock=Lock.ALONE, trashed=trashed)
    if ground is None:
        raise NotFound.of("project", project_id)
    check_verb(scope, ground, permission)
    if permission is Permission.PROJECTS_DELETE and not _may_delete(scope, ground, ground.created_by):
        raise Forbidden(permission)
    query = select(Project).where(Project.tenant_id == scope.tenant, Project.id == project_id)
    project: Project = (await session.scalars(query.execution_options(populate_existing=True))).one()
    return project


async def access_task(
    session: AsyncSession,
    scope: Scope,
    task_id: UUID,
    permission: Permission,
    *,
    lock: Lock = Lock.NONE,
    trashed: bool = False,
) -> Held:
    """Fetch a task with its project. With a lock the task's row is locked too, after the project's."""
    held = await _held_already(session, scope, task_id) or await _fetch_task(session, scope, task_id, lock)
    if held is None or (held.task.deleted_at is not None) != trashed:
        raise NotFound.of("task", task_id)
    if held.task.internal and scope.role == Role.CLIENT:
        raise NotFound.of("task", task_id)
    check_verb(scope, held.ground, permission)
    if permission is Permission.TASKS_DELETE and not may_delete_task(scope, held.ground, held.task):
        raise Forbidden(permission)
    return held


async def hold_projects(session: AsyncSession, scope: Scope, tasks: Sequence[UUID]) -> None:
    """Hold the projects of many tasks alone, in one order, and load the tasks: `access_task` then asks no more.

    Nobody else writes tasks of these projects until the transaction ends, so what the session knows stays true.
    """
    rows = await session.execute(_PROJECTS_OF, {"tenant": scope.tenant, "member": scope.member, "ids": list(tasks)})
    grounds = {row.id: ground for row in rows if (ground := _seen_ground(scope, row)) is not None}
    session.info[_HELD] = grounds
    query = select(Task).where(Task.tenant_id == scope.tenant, Task.id.in_(tasks))
    loaded = await session.scalars(query.execution_options(populate_existing=True))
    # The session keeps its rows by weak references only.
    session.info[_LOADED] = list(loaded)


def check_verb(scope: Scope, ground: Ground, permission: Permission) -> None:
    """Refuse a verb that the role in the firm does not hold, or that the part in the project takes away."""
    scope.require(permission)
    if permission in READS or scope.role in RULERS or ground.owns:
        return
    if permission is Permission.COMMENTS_CREATE and scope.role == Role.CLIENT:
        return
    if ground.role == "viewer":
        raise Forbidden(permission, N_("You are a viewer in this project."))
    if scope.role == Role.MEMBER and ground.role not in WRITERS:
        raise Forbidden(permission, N_("You do not work in this project."))


def may_delete_task(scope: Scope, ground: Ground, task: Task) -> bool:
    """Owner and admin everything, a project manager in projects they lead, everybody else what they made."""
    return _may_delete(scope, ground, task.created_by)


def _may_delete(scope: Scope, ground: Ground, maker: UUID | None) -> bool:
    if scope.role in RULERS or (scope.role == Role.PM and ground.leads):
        return True
    return scope.member is not None and maker == scope.member


async def _held_already(session: AsyncSession, scope: Scope, task_id: UUID) -> Held | None:
    grounds: dict[UUID, Ground] | None = session.info.get(_HELD)
    if not grounds:
        return None
    # allow: session-get - fetched and locked with its siblings by hold_tasks, whose grounds these are
    task = await session.get(Task, (scope.tenant, task_id))
    return Held(task, grounds[task.project_id]) if task is not None and task.project_id in grounds else None


async def _fetch_task(session: AsyncSession, scope: Scope, task_id: UUID, lock: Lock) -> Held | None:
    ground = await _ground(session, scope, "task", task_id, lock=lock)
    if ground is None:
        return None
    query = select(Task).where(Task.tenant_id == scope.tenant, Task.id == task_id, Task.project_id == ground.id)
    if lock:
        await session.flush()  # what an earlier step of the same change left would be read over
        query = query.with_for_update().execution_options(populate_existing=True)
    task = await session.scalar(query)
    return None if task is None else Held(task, ground)


async def _ground(
    session: AsyncSession, scope: Scope, kind: str, object_id: UUID, *, lock: Lock, trashed: bool = False
) -> Ground | None:
    """Return the project, locked as asked, unless it is not there or the actor may not see it."""
    found = await session.execute(
        _STATEMENTS[kind, trashed, lock], {"tenant": scope.tenant, "member": scope.member, "id": object_id}
    )
    row = found.first()
    return None if row is None else _seen_ground(scope, row)


def _seen_ground(scope: Scope, row: Any) -> Ground | None:
    if scope.role == Role.CLIENT and row.role is None:
        return None
    owns = scope.member is not None and row.owner_id == scope.member
    return Ground(row.id, row.key, row.status, row.owner_id, row.created_by, row.role, owns)
