"""Many tasks changed in one go, each through the same function as alone, with a result of its own.

One event each under a common batch, and undone as one step: what each task was before is kept.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.errors import Invalid, Problem
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.work.actions.move import Step, move_one
from zena.work.actions.people import Picked, assign_one, label_one
from zena.work.actions.tasks import update_one
from zena.work.actions.trash import restore_one, trash_one
from zena.work.actions.undo import BulkResult, Outcome, pictures, refused_outcome
from zena.work.change import Change, change
from zena.work.fields import Seen
from zena.work.models import BulkChange, Task
from zena.work.policy import Held, hold_projects

MAX_IDS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of every task. Parts that are absent leave it alone; trash and restore go without others."""

    status: str | None = None
    reason: str | None = None
    set: Mapping[str, Any] = field(default_factory=dict)
    assign: Picked | None = None
    label: Picked | None = None
    trash: bool = False
    restore: bool = False

    @property
    def parts(self) -> list[Any]:
        given = (self.status, self.set, self.assign, self.label, self.trash, self.restore)
        return [part for part in given if part]


async def change_tasks(
    session: AsyncSession, scope: Scope, *, ids: Sequence[UUID], wish: Wish, versions: Mapping[UUID, int] | None = None
) -> BulkResult:
    """Change up to 1,000 tasks. What is refused for one leaves the others as wished."""
    _check_wish(ids, wish)
    batch, seen = new_id(), versions or {}
    async with change(session, scope, batch) as made:
        await hold_projects(session, scope, ids)
        before = await pictures(made, ids)
        outcomes = [await _one(made, one, wish, Seen.of(seen.get(one), in_body=True)) for one in dict.fromkeys(ids)]
        changed = _changed(before, outcomes)
        if not changed:
            return BulkResult(None, outcomes, made.refused)
        session.add(
            BulkChange(tenant_id=scope.tenant, id=batch, created_by=scope.member, created_at=scope.at, before=changed)
        )
    return BulkResult(batch, outcomes, made.refused)


async def _one(made: Change, task_id: UUID, wish: Wish, seen: Seen | None) -> Outcome:
    """Fulfil the wish for one task, wholly or not at all."""
    part = made.part()
    # One part checks everything before it changes anything; of several, a later one may refuse what an earlier did.
    several = len(wish.parts) > 1
    try:
        async with made.session.begin_nested() if several else nullcontext():
            task, warnings = await _fulfil(part, task_id, wish, seen)
            await made.session.flush()
    except Problem as refused:
        made.refused.append(refused)
        return refused_outcome(task_id, refused)
    made.take(part)
    return Outcome(id=task_id, ok=True, version=task.version, warnings=warnings)


async def _fulfil(part: Change, task_id: UUID, wish: Wish, seen: Seen | None) -> tuple[Task, list[str]]:
    if wish.trash:
        return (await trash_one(part, task_id, seen)).task, []
    if wish.restore:
        return (await restore_one(part, task_id, seen)).task, []
    warnings: list[str] = []
    held: Held | None = None
    if wish.status is not None:
        step: Step = {"to": wish.status, "reason": wish.reason}
        moved = await move_one(part, task_id, step, seen)
        held, warnings, seen = Held(moved.task, moved.ground), moved.warnings, None
    if wish.set:
        held, seen = await update_one(part, task_id, wish.set, seen), None
    if wish.assign is not None:
        held, seen = await assign_one(part, task_id, wish.assign, seen), None
    if wish.label is not None:
        held = await label_one(part, task_id, wish.label, seen)
    if held is None:
        raise Invalid.field("ids", N_("Nothing is wished of the tasks."), "required")
    return held.task, warnings


def _check_wish(ids: Sequence[UUID], wish: Wish) -> None:
    if not 1 <= len(ids) <= MAX_IDS:
        raise Invalid.field("ids", N_("From 1 to %(most)s tasks.", most=MAX_IDS), "length")
    if not wish.parts:
        raise Invalid.field("ids", N_("Nothing is wished of the tasks."), "required")
    if (wish.trash or wish.restore) and len(wish.parts) > 1:
        raise Invalid.field("trash", N_("Trash and restore go without other changes."), "alone")


def _changed(before: Mapping[UUID, dict[str, Any]], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the pictures of the tasks whose version moved on, each with the version it has now."""
    return [
        before[one.id] | {"after": one.version}
        for one in outcomes
        if one.ok and one.id in before and one.version != before[one.id]["version"]
    ]
