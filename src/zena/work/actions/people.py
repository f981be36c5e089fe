"""Who does a task, and the labels it carries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Invalid, NotFound
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.work.actions.move import check_seen
from zena.work.change import Change, change
from zena.work.counters import Counted
from zena.work.events import TaskAssigned, TaskLabeled
from zena.work.fields import Seen, check_members
from zena.work.models import Label, Task, TaskAssignee, TaskLabel
from zena.work.policy import Held, Lock, access_task
from zena.work.workflow import check_writable

MAX_ASSIGNEES = 50
MAX_LABELS = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Picked:
    """How a list of ids is to change: to exactly `whole`, or by `add` and `remove`."""

    whole: Sequence[UUID] | None = None
    add: Sequence[UUID] = ()
    remove: Sequence[UUID] = ()

    def of(self, old: Sequence[UUID]) -> list[UUID]:
        """Return the new list, each id once, old ones in their old order."""
        if self.whole is not None:
            return list(dict.fromkeys(self.whole))
        return [one for one in dict.fromkeys((*old, *self.add)) if one not in set(self.remove)]


async def assign_task(
    session: AsyncSession,
    scope: Scope,
    *,
    task_id: UUID,
    assignees: Sequence[UUID] | Picked,
    version: int | None = None,
    version_in_body: bool = False,
) -> Held:
    """Set who does a task: the whole list, or what to add and remove."""
    async with change(session, scope) as made:
        return await assign_one(made, task_id, _picked(assignees), Seen.of(version, in_body=version_in_body))


async def assign_one(
    made: Change, task_id: UUID, people: Picked, seen: Seen | None = None, lock: Lock = Lock.SHARED
) -> Held:
    """`assign_task` within a change that is open already."""
    held = await access_task(made.session, made.scope, task_id, Permission.TASKS_ASSIGN, lock=lock)
    task = held.task
    check_writable(held.ground.status)
    await check_seen(made, task, seen)
    old, new = list(task.assignee_ids), people.of(task.assignee_ids)
    if set(old) == set(new):
        return held
    await check_members(made.session, made.scope, [one for one in new if one not in old])
    before = Counted.of(task)
    await set_assignees(made, task, new)
    made.touch(task)
    made.tally.change(before, Counted.of(task))
    added, removed = _difference(old, new)
    happened = TaskAssigned(**held.told(), added=added, removed=removed)
    made.record(happened, before={"assignee_ids": old}, after={"assignee_ids": new})
    return held


async def label_task(
    session: AsyncSession,
    scope: Scope,
    *,
    task_id: UUID,
    labels: Sequence[UUID] | Picked,
    version: int | None = None,
    version_in_body: bool = False,
) -> Held:
    """Set a task's labels: the whole list, or what to add and remove."""
    async with change(session, scope) as made:
        return await label_one(made, task_id, _picked(labels), Seen.of(version, in_body=version_in_body))


async def label_one(
    made: Change, task_id: UUID, labels: Picked, seen: Seen | None = None, lock: Lock = Lock.SHARED
) -> Held:
    """`label_task` within a change that is open already."""
    held = await access_task(made.session, made.scope, task_id, Permission.TASKS_UPDATE, lock=lock)
    task = held.task
    check_writable(held.ground.status)
    await check_seen(made, task, seen)
    old, new = list(task.label_ids), labels.of(task.label_ids)
    if set(old) == set(new):
        return held
    names = await check_labels(made, {*old, *new})
    await set_labels(made, task, new)
    made.touch(task)
    words = [names[one] for one in old], [names[one] for one in new]
    added, removed = _difference(*words)
    happened = TaskLabeled(**held.told(), added=added, removed=removed)
    made.record(happened, before={"labels": words[0]}, after={"labels": words[1]})
    return held


async def set_assignees(made: Change, task: Task, members: Sequence[UUID]) -> None:
    """Write checked assignees to the task and its link rows. The caller counts and records."""
    check_most("assignees", members, MAX_ASSIGNEES)
    await _relink(made, task, TaskAssignee, (task.assignee_ids, members))
    task.assignee_ids = list(members)


async def set_labels(made: Change, task: Task, labels: Sequence[UUID]) -> None:
    """Write checked labels to the task and its link rows."""
    check_most("labels", labels, MAX_LABELS)
    await _relink(made, task, TaskLabel, (task.label_ids, labels))
    task.label_ids = list(labels)


def check_most(field: str, ids: Sequence[UUID], most: int) -> None:
    if len(ids) > most:
        raise Invalid.field(field, N_("At most %(most)s.", most=most), "too_many")


async def check_labels(made: Change, labels: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of labels; 404 for one that the firm does not have. Locked against their deletion."""
    if not labels:
        return {}
    query = select(Label.id, Label.name).where(Label.tenant_id == made.scope.tenant, Label.id.in_(labels))
    names = {row.id: row.name for row in await made.session.execute(query.with_for_update(read=True, key_share=True))}
    if len(names) < len(set(labels)):
        raise NotFound.of("label", *(one for one in labels if one not in names))
    return names


def _picked(given: Sequence[UUID] | Picked) -> Picked:
    return given if isinstance(given, Picked) else Picked(whole=given)


async def _relink(
    made: Change, task: Task, link: type[TaskAssignee] | type[TaskLabel], lists: tuple[Sequence[UUID], Sequence[UUID]]
) -> None:
    """Make a task's link rows those of the second list, given the first."""
    added, removed = _difference(*lists)
    column = "member_id" if link is TaskAssignee else "label_id"
    if removed:
        gone = delete(link).where(link.tenant_id == made.scope.tenant, link.task_id == task.id)
        await made.session.execute(gone.where(getattr(link, column).in_(removed)))
    if added:
        rows = [{"tenant_id": made.scope.tenant, "task_id": task.id, column: one} for one in added]
        await made.session.execute(insert(link), rows)


def _difference(old: Sequence[T], new: Sequence[T]) -> tuple[list[T], list[T]]:
    """Return what was added and what was removed."""
    return [one for one in new if one not in old], [one for one in old if one not in new]
