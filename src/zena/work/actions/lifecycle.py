"""The status of a project, and what a change of it does to the project's tasks (one event with counts)."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Conflict
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.work.actions.projects import check_seen_project, touch_project
from zena.work.change import Change, change
from zena.work.counters import Counted
from zena.work.events import ProjectStatusChanged
from zena.work.fields import Seen, check_choice
from zena.work.models import Project, ProjectStats
from zena.work.policy import RULERS, access_project
from zena.work.workflow import PROJECT_MOVES, ProjectStatus, check_project_move

#: The reason that blocked tasks carry while their project is on hold.
HELD: Final = "project on hold"

# The project is held alone, so nobody else writes its tasks: they can be changed in one statement each.
_HOLD = text(f"""
UPDATE task
   SET status = 'blocked', block_reason = '{HELD}', held_by_project = true, version = version + 1, updated_at = :at
 WHERE tenant_id = :tenant AND project_id = :project AND status = 'in_progress' AND deleted_at IS NULL
RETURNING 'in_progress' AS old, 'blocked' AS new""")  # noqa: S608 - a constant of ours
_UNHOLD = text("""
UPDATE task
   SET status = 'in_progress', block_reason = NULL, held_by_project = false, version = version + 1, updated_at = :at
 WHERE tenant_id = :tenant AND project_id = :project AND status = 'blocked' AND held_by_project AND deleted_at IS NULL
RETURNING 'blocked' AS old, 'in_progress' AS new""")
_CANCEL = text("""
WITH was AS (
    SELECT id, status FROM task
     WHERE tenant_id = :tenant AND project_id = :project AND deleted_at IS NULL
       AND status IN ('backlog', 'in_progress', 'blocked')
)
UPDATE task t
   SET status = 'canceled', cancel_reason = :reason, block_reason = NULL, held_by_project = false, closed_at = :at,
       closed_by = :member, closed_day = :day, version = version + 1, updated_at = :at
  FROM was WHERE t.tenant_id = :tenant AND t.id = was.id
RETURNING was.status AS old, 'canceled' AS new""")
# What a cascade changes is summed up by the database: a project may have a hundred thousand open tasks.
_SUMMED: Final = """
WITH moved AS ({statement}, priority, progress, estimate_min, due_on, created_day, assignee_ids)
SELECT old, new, priority, progress, estimate_min, due_on, created_day, assignee_ids, count(*) AS times
  FROM moved GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"""
# Once nothing is open, a canceled task's sub-tasks that count are all done.
_SETTLE = text("""
UPDATE task t SET progress = n.progress
  FROM (SELECT p.id, CASE WHEN bool_or(c.status = 'done') THEN 100 ELSE p.own_progress END AS progress
          FROM task p JOIN task c ON c.tenant_id = p.tenant_id AND c.parent_id = p.id AND c.deleted_at IS NULL
         WHERE p.tenant_id = :tenant AND p.project_id = :project AND p.status = 'canceled' AND p.deleted_at IS NULL
         GROUP BY p.id, p.own_progress) n
 WHERE t.tenant_id = :tenant AND t.id = n.id AND t.progress <> n.progress""")


async def set_project_status(
    session: AsyncSession,
    scope: Scope,
    *,
    project_id: UUID,
    status: str,
    cascade: str | None = None,
    version: int | None = None,
) -> Project:
    """Move a project through its lifecycle; the same status again is a no-op.

    On hold blocks the tasks in progress, back to active undoes exactly those; cancelled cancels what is open; completed
    with open tasks is refused (HAS_UNFINISHED_TASKS) unless `cascade="cancel"`. Archived goes back to its former status
    for owners and admins.
    """
    project = await access_project(session, scope, project_id, Permission.PROJECTS_UPDATE)
    check_choice({"status": status}, "status", tuple(ProjectStatus))
    if cascade is not None:
        check_choice({"cascade": cascade}, "cascade", ("cancel",))
    old = project.status
    if status != old:
        check_project_move(old, status, _allowed(scope, project))
        await _check_tasks(session, scope, project, status, cascade)
    await check_seen_project(session, scope, project, Seen.of(version, in_body=True))
    if status == old:
        return project
    async with change(session, scope) as made:
        _enter(made, project, status)
        count = await _cascade(made, project, old, status)
        happened = ProjectStatusChanged(subject=project.id, project=project.id, old=old, new=status, cascaded=count)
        made.record(happened, before={"status": old}, after={"status": status})
        return project


def _allowed(scope: Scope, project: Project) -> tuple[str, ...]:
    if project.status == ProjectStatus.ARCHIVED and scope.role in RULERS and project.archived_from:
        return (project.archived_from,)
    return PROJECT_MOVES[project.status]


def _enter(made: Change, project: Project, status: str) -> None:
    old, scope = project.status, made.scope
    project.status = status
    if status == ProjectStatus.ARCHIVED:
        project.archived_from, project.archived_at, project.archived_by = old, scope.at, scope.member
    elif old == ProjectStatus.ARCHIVED:
        project.archived_from = project.archived_at = project.archived_by = None
    elif status == ProjectStatus.COMPLETED:
        project.completed_at = scope.at
    touch_project(made, project)


async def _check_tasks(session: AsyncSession, scope: Scope, project: Project, status: str, cascade: str | None) -> None:
    """Refuse a status that the project's tasks forbid; the counters tell."""
    old = project.status
    if old == ProjectStatus.ARCHIVED:
        return
    query = select(ProjectStats).where(ProjectStats.tenant_id == scope.tenant, ProjectStats.project_id == project.id)
    stats = (await session.scalars(query.execution_options(populate_existing=True))).one()
    unfinished = 0 if cascade == "cancel" else stats.backlog + stats.in_progress + stats.blocked
    if status == ProjectStatus.COMPLETED:
        if old == ProjectStatus.PLANNING:
            unfinished += stats.done
        if unfinished:
            raise _refused("HAS_UNFINISHED_TASKS", unfinished)
    if status == ProjectStatus.PLANNING and stats.in_progress + stats.done:
        raise _refused("HAS_ACTIVE_TASKS", stats.in_progress + stats.done)


def _refused(code: str, count: int) -> Conflict:
    detail = (
        N_("%(count)s tasks stand against that: finish, cancel or remove them first.", count=count)
        if code == "HAS_UNFINISHED_TASKS"
        else N_("%(count)s tasks have begun: the project is past planning.", count=count)
    )
    return Conflict(detail, code=code, details={"tasks": count})


async def _cascade(made: Change, project: Project, old: str, status: str) -> int:
    """Take the project's tasks along; return how many changed."""
    if status == ProjectStatus.ON_HOLD:
        return await _take(made, project, _HOLD)
    if status == ProjectStatus.ACTIVE and old == ProjectStatus.ON_HOLD:
        return await _take(made, project, _UNHOLD)
    if status in {ProjectStatus.CANCELLED, ProjectStatus.COMPLETED} and old != ProjectStatus.ARCHIVED:
        return await _take(made, project, _CANCEL, {"reason": f"project {status}"})
    return 0


async def _take(made: Change, project: Project, statement: TextClause, extra: Mapping[str, Any] | None = None) -> int:
    await made.session.flush()
    scope = made.scope
    given = {"tenant": scope.tenant, "project": project.id, "at": scope.at, **(extra or {})}
    if extra:
        given |= {"member": scope.member, "day": scope.today}
    rows = (await made.session.execute(text(_SUMMED.format(statement=statement.text)), given)).all()
    for row in rows:
        for status, times in ((row.old, -row.times), (row.new, row.times)):
            made.tally.add(_counted(project.id, row, status), times)
    if statement is _CANCEL:
        await made.session.execute(_SETTLE, {"tenant": scope.tenant, "project": project.id})
    return sum(row.times for row in rows)


def _counted(project: UUID, row: Any, status: str) -> Counted:
    return Counted(
        project=project,
        status=status,
        priority=row.priority,
        progress=row.progress,
        estimate=row.estimate_min,
        due_on=row.due_on,
        created_day=row.created_day,
        closed_day=None,
        assignees=frozenset(row.assignee_ids),
        trashed=False,
    )
