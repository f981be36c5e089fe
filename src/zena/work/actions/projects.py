"""Making, changing, throwing away and bringing back projects. Their status is in lifecycle.py."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.db import raw
from zena.kit.errors import Conflict, Forbidden, Invalid
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.kit.text import sort_key
from zena.work import rank
from zena.work.actions.keys import checked_key, free_key
from zena.work.change import Change, change
from zena.work.events import (
    ProjectBudgetChanged,
    ProjectCreated,
    ProjectPurged,
    ProjectRestored,
    ProjectTrashed,
    ProjectUpdated,
)
from zena.work.fields import (
    MAX_MONEY,
    RISKS,
    Seen,
    check_choice,
    check_common,
    check_dates,
    check_known,
    check_members,
    check_range,
    check_tags,
    diff,
    is_stale,
    stale,
)
from zena.work.models import Project, ProjectCounter, ProjectMember, ProjectStats, Task
from zena.work.policy import RULERS, access_project
from zena.work.queries.projects import project_state
from zena.work.workflow import restricted

MONEY: Final = ("budget_planned", "budget_actual")
EDITABLE: Final = frozenset({
    "name", "description", "owner_id", "start_on", "end_on", "priority", "risk_level", "tags", *MONEY,
})  # fmt: skip


async def create_project(
    session: AsyncSession, scope: Scope, *, name: str, key: str | None = None, **fields: Any
) -> Project:
    """Start a project in planning. Without a key one is made from the name; the maker becomes its owner and manager."""
    async with change(session, scope) as made:
        project = await add_project(made, {"name": name, **fields}, key)
        made.record(ProjectCreated(subject=project.id, project=project.id, key=project.key, name=project.name))
        return project


async def add_project(made: Change, fields: Mapping[str, Any], key: str | None) -> Project:
    """Write a new project with its counters; the caller records it."""
    session, scope = made.session, made.scope
    scope.require(Permission.PROJECTS_CREATE)
    values = {"owner_id": scope.member} | await _checked(made, fields, None)
    chosen = await free_key(session, scope, values["name"]) if key is None else checked_key(key)
    last = await session.scalar(select(func.max(Project.position)).where(Project.tenant_id == scope.tenant))
    project = Project(
        tenant_id=scope.tenant,
        id=new_id(),
        key=chosen,
        sort_key=sort_key(values["name"]),
        position=rank.between(last, None),
        created_by=scope.member,
        created_at=scope.at,
        updated_at=scope.at,
        status="planning",
        version=1,
        **({"description": "", "priority": "normal", "risk_level": "low", "tags": []} | values),
    )
    session.add(project)
    try:
        async with session.begin_nested():
            await session.flush()
    except IntegrityError as error:
        raise Invalid.field("key", N_("The key %(key)s is taken.", key=chosen), "taken") from error
    ids = {"tenant_id": scope.tenant, "project_id": project.id}
    session.add_all([ProjectStats(**ids), ProjectCounter(**ids)])
    await session.flush()
    for member in {scope.member, project.owner_id} - {None}:
        await session.execute(insert(ProjectMember).values(**ids, member_id=member, role="manager"))
    return project


async def update_project(
    session: AsyncSession, scope: Scope, *, project_id: UUID, changes: Mapping[str, Any], version: int | None = None
) -> Project:
    """Change some fields. `version` is the one the caller saw: a stale one is refused with the current row."""
    project = await access_project(session, scope, project_id, Permission.PROJECTS_UPDATE)
    if project.status == "archived":
        raise restricted(project.status)
    await check_seen_project(session, scope, project, Seen.of(version))
    async with change(session, scope) as made:
        before, after = diff(project, await _checked(made, changes, project))
        if not after:
            return project
        for field, value in after.items():
            setattr(project, field, value)
        project.sort_key = sort_key(project.name)
        touch_project(made, project)
        for kind, fields in ((ProjectBudgetChanged, MONEY), (ProjectUpdated, EDITABLE - set(MONEY))):
            new = {field: value for field, value in after.items() if field in fields}
            if new:
                old = {field: before[field] for field in new}
                happened = kind(subject=project.id, project=project.id, fields=sorted(new))
                made.record(happened, before=old, after=new)
        return project


async def trash_project(session: AsyncSession, scope: Scope, *, project_id: UUID) -> Project:
    """Put an empty project into the trash; refused while it has any task, also a trashed one (PROJECT_HAS_TASKS)."""
    project = await access_project(session, scope, project_id, Permission.PROJECTS_DELETE)
    async with change(session, scope) as made:
        await _check_empty(made, project)
        project.deleted_at, project.deleted_by = scope.at, scope.member
        touch_project(made, project)
        made.record(ProjectTrashed(subject=project.id, project=project.id, name=project.name))
        return project


async def restore_project(session: AsyncSession, scope: Scope, *, project_id: UUID) -> Project:
    """Bring a project back from the trash."""
    project = await access_project(session, scope, project_id, Permission.PROJECTS_DELETE, trashed=True)
    async with change(session, scope) as made:
        project.deleted_at = project.deleted_by = None
        touch_project(made, project)
        made.record(ProjectRestored(subject=project.id, project=project.id, name=project.name))
        return project


async def purge_project(session: AsyncSession, scope: Scope, *, project_id: UUID) -> None:
    """Remove a project that is in the trash for good; for owners and admins. Its key becomes free."""
    project = await access_project(session, scope, project_id, Permission.PROJECTS_DELETE, trashed=True)
    if scope.role not in RULERS:
        raise Forbidden(Permission.PROJECTS_DELETE)
    async with change(session, scope) as made:
        await _check_empty(made, project)
        made.record(ProjectPurged(subject=project.id, key=project.key, name=project.name))
        query = delete(Project).where(Project.tenant_id == scope.tenant, Project.id == project.id)
        await session.execute(query, execution_options={"synchronize_session": False})
        session.expunge(project)


async def check_seen_project(session: AsyncSession, scope: Scope, project: Project, seen: Seen | None) -> None:
    """Refuse a change made on an older version, showing the project as it is now."""
    if seen is not None and is_stale(seen, project.version):
        raise stale(seen, project.version, await project_state(await raw(session), scope, project.id))


def touch_project(made: Change, project: Project) -> None:
    project.version += 1
    project.updated_at = made.scope.at


async def _check_empty(made: Change, project: Project) -> None:
    query = (
        select(func.count()).select_from(Task).where(Task.tenant_id == made.scope.tenant, Task.project_id == project.id)
    )
    count = await made.session.scalar(query) or 0
    if count:
        detail = N_("The project still has %(count)s tasks, counting those in the trash.", count=count)
        raise Conflict(detail, code="PROJECT_HAS_TASKS", details={"tasks": count})


async def _checked(made: Change, changes: Mapping[str, Any], project: Project | None) -> dict[str, Any]:
    check_known(changes, EDITABLE)
    values = dict(changes)
    if not values.keys().isdisjoint(MONEY):
        made.scope.require(Permission.COST_EDIT)
    check_common(values)
    check_choice(values, "risk_level", RISKS)
    for field in MONEY:
        check_range(values, field, 0, MAX_MONEY)
    if values.get("owner_id") is not None:
        await check_members(made.session, made.scope, [values["owner_id"]])
    if "tags" in values:
        values["tags"] = check_tags(values["tags"])
    check_dates(values, project, "start_on", "end_on")
    return values
