"""The one workflow function. Board, list, panel, bulk change and API all move tasks through it."""

from typing import Any, NamedTuple, TypedDict, Unpack
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.db import raw
from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.kit.text import clean_text
from zena.work.actions.place import Place, rank_at
from zena.work.change import Change, change
from zena.work.counters import Counted
from zena.work.events import TaskMoved, TaskRanked
from zena.work.fields import Seen, is_stale, stale
from zena.work.models import Task
from zena.work.policy import Ground, Held, Lock, access_task
from zena.work.progress import refresh, roll_up
from zena.work.queries.tasks import one_task
from zena.work.workflow import (
    NEEDS_REASON,
    REASON_LENGTH,
    TaskStatus,
    check_project_gate,
    check_task_move,
    check_writable,
)

_UNFINISHED = text("""
SELECT t.id, p.key || '-' || t.number AS key, t.name, t.status
  FROM task_dependency d
  JOIN task t ON t.tenant_id = d.tenant_id AND t.id = d.predecessor_id
  JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id
 WHERE d.tenant_id = :tenant AND d.successor_id = :task AND d.type = 'FS'
   AND t.status <> 'done' AND t.deleted_at IS NULL
 ORDER BY p.key, t.number""")
_WAITING = text("""
SELECT p.key || '-' || t.number AS key
  FROM task_dependency d
  JOIN task t ON t.tenant_id = d.tenant_id AND t.id = d.successor_id
  JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id
 WHERE d.tenant_id = :tenant AND d.predecessor_id = :task AND t.deleted_at IS NULL
   AND t.status IN ('backlog', 'in_progress', 'blocked')
 ORDER BY p.key, t.number""")


class Step(TypedDict, total=False):
    """What is asked of a task: a status, a place in the order, or both, and why."""

    to: str | None
    place: Place | None
    reason: str | None


class Moved(NamedTuple):
    """The task as it is now with its project, and what the mover should know."""

    task: Task
    ground: Ground
    warnings: list[str]


async def move_task(
    session: AsyncSession,
    scope: Scope,
    *,
    task_id: UUID,
    version: int | None = None,
    version_in_body: bool = False,
    **step: Unpack[Step],
) -> Moved:
    """Move a task to a status, to a place in the order, or both; the same status again is a no-op.

    Checks in the order of the domain contract: table, project gate, dependencies, warnings, reason, version.
    """
    async with change(session, scope) as made:
        return await move_one(made, task_id, step, Seen.of(version, in_body=version_in_body))


async def move_one(
    made: Change, task_id: UUID, step: Step, seen: Seen | None = None, lock: Lock = Lock.SHARED
) -> Moved:
    """`move_task` within a change that is open already."""
    held = await access_task(made.session, made.scope, task_id, Permission.TASKS_UPDATE, lock=lock)
    task, warnings, reason = held.task, [], None
    to, place = step.get("to") or task.status, step.get("place")
    if to != task.status:
        warnings = await _check_step(made, held, to)
        reason = _checked_reason(to, step.get("reason"))
    elif place is not None:
        check_writable(held.ground.status)
    await check_seen(made, task, seen)
    stays = to == task.status
    if not stays:
        await enter_status(made, held, to, reason)
    if place is not None:
        await _place(made, held, place, alone=stays)
    return Moved(task, held.ground, warnings)


async def enter_status(made: Change, held: Held, to: str, reason: str | None) -> None:
    """Put a task into a status whose checks have passed; count it, tell it, roll its progress up."""
    task, before, old = held.task, Counted.of(held.task), held.task.status
    task.status, task.held_by_project = to, False
    task.block_reason = reason if to == TaskStatus.BLOCKED else None
    task.cancel_reason = reason if to == TaskStatus.CANCELED else None
    if to == TaskStatus.IN_PROGRESS:
        task.started_at = task.started_at or made.scope.at
    elif to == TaskStatus.BACKLOG:
        task.started_at = None
    if old == TaskStatus.CANCELED:
        task.own_progress = 0
    _close(task, made.scope)
    await refresh(made, task)
    made.touch(task)
    made.tally.change(before, Counted.of(task))
    happened = TaskMoved(**held.told(), old=old, new=to, reason=reason)
    made.record(happened, before={"status": old}, after={"status": to})
    await roll_up(made, task.parent_id)


async def check_seen(made: Change, task: Task, seen: Seen | None) -> None:
    """Refuse a change made on an older version, showing the task as it is now."""
    if seen is None or not is_stale(seen, task.version):
        return
    await made.session.flush()
    body, _ = await one_task(await raw(made.session), made.scope, task.id)
    current: dict[str, Any] = msgspec.json.decode(body)
    raise stale(seen, task.version, current)


def _close(task: Task, scope: Scope) -> None:
    if task.status in {TaskStatus.DONE, TaskStatus.CANCELED}:
        task.closed_at, task.closed_by, task.closed_day = scope.at, scope.member, scope.today
    else:
        task.closed_at = task.closed_by = task.closed_day = None


async def _check_step(made: Change, held: Held, to: str) -> list[str]:
    if to not in set(TaskStatus):
        raise Invalid.field("status", N_("One of %(allowed)s.", allowed=", ".join(TaskStatus)), "choice")
    task = held.task
    check_task_move(task.status, to)
    check_project_gate(held.ground.status, task.status, to)
    given = {"tenant": made.scope.tenant, "task": task.id}
    if to == TaskStatus.IN_PROGRESS:
        await _check_predecessors(made, given)
    if to == TaskStatus.CANCELED:
        waiting = list(await made.session.scalars(_WAITING, given))
        return [N_("%(tasks)s waited for this task.", tasks=", ".join(waiting))] if waiting else []
    return []


async def _check_predecessors(made: Change, given: dict[str, Any]) -> None:
    """Refuse a start before every finish-to-start predecessor is done, naming those that are not."""
    await made.session.flush()
    missing = [dict(row) for row in (await made.session.execute(_UNFINISHED, given)).mappings()]
    if missing:
        detail = N_("This waits for %(tasks)s.", tasks=", ".join(row["key"] for row in missing))
        raise Invalid(detail=detail, code="DEPENDENCIES_NOT_DONE", details={"tasks": missing})


def _checked_reason(to: str, reason: str | None) -> str | None:
    if to not in NEEDS_REASON:
        return None
    said = clean_text(reason or "", "reason", REASON_LENGTH).strip()
    if not said:
        raise Invalid.field("reason", N_("Say why, in 1 to %(most)s characters.", most=REASON_LENGTH), "required")
    return said


async def _place(made: Change, held: Held, place: Place, *, alone: bool) -> None:
    task = held.task
    task.rank = await rank_at(made, task.project_id, place, task.id)
    if alone:
        made.touch(task)
        made.record(TaskRanked(**held.told()))
    await made.session.flush()
