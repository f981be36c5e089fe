"""Taking a bulk change back as one step: each task becomes what it was, unless somebody changed it since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Conflict, NotFound, Problem
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.work.actions.people import set_assignees, set_labels
from zena.work.actions.tasks import move_under
from zena.work.actions.trash import restore_one, trash_one
from zena.work.change import Change, change
from zena.work.counters import Counted
from zena.work.events import TaskAssigned, TaskLabeled, TaskMoved, TaskUpdated
from zena.work.fields import diff
from zena.work.models import BulkChange, Task
from zena.work.policy import RULERS, Held, Lock, access_task, hold_projects
from zena.work.progress import refresh, roll_up
from zena.work.workflow import check_writable

STATE: Final = (
    "status", "block_reason", "cancel_reason", "held_by_project", "started_at", "closed_at", "closed_by", "closed_day",
    "own_progress",
)  # fmt: skip
FIELDS: Final = ("name", "priority", "start_on", "due_on", "estimate_min", "parent_id", "internal")
LISTS: Final = ("assignee_ids", "label_ids")
_TYPES: Final[dict[str, Any]] = {
    "started_at": datetime | None, "closed_at": datetime | None, "closed_by": UUID | None, "closed_day": date | None,
    "start_on": date | None, "due_on": date | None, "parent_id": UUID | None,
    "assignee_ids": list[UUID], "label_ids": list[UUID],
}  # fmt: skip


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one task: `ok` with its version now, or the refusal it would have got alone."""

    id: UUID
    ok: bool
    version: int | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None  # may be marked for translation
    warnings: list[str] = []


@dataclass(frozen=True, slots=True)
class BulkResult:
    """`id` undoes the change; None when nothing changed. `refused` are the refusals behind the outcomes."""

    id: UUID | None
    outcomes: list[Outcome]
    refused: list[Problem]


def refused_outcome(task_id: UUID, refused: Problem) -> Outcome:
    return Outcome(id=task_id, ok=False, status=refused.status, code=refused.error_code, message=refused.detail)


async def pictures(made: Change, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return what brings tasks back to what they are now, JSON-able."""
    query = select(Task).where(Task.tenant_id == made.scope.tenant, Task.id.in_(ids))
    return {task.id: _picture(task) for task in await made.session.scalars(query)}


async def undo_bulk(session: AsyncSession, scope: Scope, *, bulk_id: UUID) -> BulkResult:
    """Take back a bulk change of one's own (owners and admins: anybody's), once.

    A task that was changed since is left as it is and told as a conflict.
    """
    query = select(BulkChange).where(BulkChange.tenant_id == scope.tenant, BulkChange.id == bulk_id).with_for_update()
    bulk = await session.scalar(query)
    if bulk is None or not (scope.role in RULERS or bulk.created_by == scope.member):
        raise NotFound.of("bulk_change", bulk_id)
    if bulk.undone_at is not None:
        raise Conflict(N_("This was undone before."))
    async with change(session, scope, new_id()) as made:
        await hold_projects(session, scope, [UUID(row["id"]) for row in bulk.before])
        outcomes = [await _back(made, row) for row in reversed(bulk.before)]
        bulk.undone_at, bulk.undone_by = scope.at, scope.member
    return BulkResult(made.batch, outcomes, made.refused)


def _picture(task: Task) -> dict[str, Any]:
    taken = {name: getattr(task, name) for name in (*STATE, *FIELDS, *LISTS)}
    about = {"id": task.id, "version": task.version, "trashed": task.deleted_at is not None}
    picture: dict[str, Any] = msgspec.to_builtins(about | taken)
    return picture


async def _back(made: Change, row: Mapping[str, Any]) -> Outcome:
    """Bring one task back, wholly or not at all."""
    task_id, part = UUID(row["id"]), made.part()
    try:
        async with made.session.begin_nested():
            task = await _put_back(part, task_id, row)
            await made.session.flush()
    except Problem as refused:
        made.refused.append(refused)
        return refused_outcome(task_id, refused)
    made.take(part)
    return Outcome(id=task_id, ok=True, version=task.version)


async def _put_back(made: Change, task_id: UUID, row: Mapping[str, Any]) -> Task:
    query = select(Task.version, Task.deleted_at).where(Task.tenant_id == made.scope.tenant, Task.id == task_id)
    now = (await made.session.execute(query)).first()
    if now is None:
        raise NotFound.of("task", task_id)
    if now.version != row["after"]:
        raise Conflict(N_("Somebody changed this meanwhile."))
    if (now.deleted_at is not None) != row["trashed"]:
        verb = trash_one if row["trashed"] else restore_one
        return (await verb(made, task_id)).task
    held = await access_task(made.session, made.scope, task_id, Permission.TASKS_UPDATE, lock=Lock.ALONE)
    check_writable(held.ground.status)
    await _restore_values(made, held, {name: _typed(name, row[name]) for name in (*STATE, *FIELDS, *LISTS)})
    return held.task


async def _restore_values(made: Change, held: Held, values: Mapping[str, Any]) -> None:
    task, counted = held.task, Counted.of(held.task)
    old_parent = task.parent_id
    state_before, state = diff(task, {name: values[name] for name in STATE})
    fields_before, fields = diff(task, {name: values[name] for name in FIELDS})
    if "parent_id" in fields:
        await move_under(made, held.ground, task, fields["parent_id"])
    for name, value in {**state, **fields}.items():
        setattr(task, name, value)
    await _restore_lists(made, held, values)
    await made.session.flush()
    await refresh(made, task)
    made.touch(task)
    made.tally.change(counted, Counted.of(task))
    if "status" in state:
        moved = TaskMoved(**held.told(), old=state_before["status"], new=state["status"])
        made.record(moved, before={"status": state_before["status"]}, after={"status": state["status"]})
    if fields:
        made.record(TaskUpdated(**held.told(), fields=sorted(fields)), before=fields_before, after=fields)
    for parent in dict.fromkeys((old_parent, task.parent_id)):
        await roll_up(made, parent)


async def _restore_lists(made: Change, held: Held, values: Mapping[str, Any]) -> None:
    task, people, labels = held.task, values["assignee_ids"], values["label_ids"]
    if set(people) != set(task.assignee_ids):
        added = [one for one in people if one not in task.assignee_ids]
        removed = [one for one in task.assignee_ids if one not in people]
        await set_assignees(made, task, people)
        made.record(TaskAssigned(**held.told(), added=added, removed=removed))
    if set(labels) != set(task.label_ids):
        await set_labels(made, task, labels)
        made.record(TaskLabeled(**held.told(), added=[], removed=[]))


def _typed(name: str, value: Any) -> Any:
    return msgspec.convert(value, _TYPES[name]) if name in _TYPES else value
