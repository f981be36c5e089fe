"""A plan against the firm it goes into: people, labels and states that only the database knows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.work.imports.columns import Target
from zena.work.imports.plan import Plan, Planned

_MEMBERS = text(
    "SELECT u.email, m.id FROM membership m JOIN user_account u ON u.id = m.user_id"
    " WHERE m.tenant_id = :tenant AND m.ended_at IS NULL AND u.email = ANY (:emails)"
)
_LABELS = text("SELECT lower(name) AS name, id FROM label WHERE tenant_id = :tenant AND lower(name) = ANY (:names)")
MAX_DEPTH = 8


@dataclass(slots=True)
class Resolved:
    """Ids for everything the plan names. `new_labels` are made when the plan is applied."""

    members: dict[str, UUID] = field(default_factory=dict)
    labels: dict[str, UUID] = field(default_factory=dict)
    new_labels: dict[str, str] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)


async def resolve(session: AsyncSession, scope: Scope, plan: Plan, columns: dict[Target, str]) -> Resolved:
    """Look everything up at once and add to the plan's mistakes what is not there or not allowed."""
    found = Resolved(ids={task.ref: new_id() for task in plan.tasks})
    found.members = await _members(session, scope, plan.tasks)
    found.labels = await _labels(session, scope, plan.tasks)
    found.new_labels = {
        word.lower(): word for task in plan.tasks for word in task.labels if word.lower() not in found.labels
    }
    for task in plan.tasks:
        for email in task.assignees:
            if email not in found.members:
                message = N_("Nobody in the firm has this address.")
                plan.refuse(task.line, columns[Target.ASSIGNEES], "unknown", message, email)
    if found.new_labels and not scope.may(Permission.LABELS_MANAGE):
        first = next(task for task in plan.tasks if any(word.lower() in found.new_labels for word in task.labels))
        plan.refuse(first.line, columns[Target.LABELS], "unknown", N_("This label does not exist."), first.labels[0])
    if not scope.may(Permission.TASKS_ASSIGN) and any(task.assignees for task in plan.tasks):
        first = next(task for task in plan.tasks if task.assignees)
        message = N_("You may not give work to others.")
        plan.refuse(first.line, columns[Target.ASSIGNEES], "forbidden", message, first.assignees[0])
    _check_depth(plan, columns)
    plan.errors.sort(key=lambda error: error.line)
    return found


async def _members(session: AsyncSession, scope: Scope, tasks: Iterable[Planned]) -> dict[str, UUID]:
    emails = sorted({email for task in tasks for email in task.assignees})
    if not emails:
        return {}
    rows = await session.execute(_MEMBERS, {"tenant": scope.tenant, "emails": emails})
    return {row.email: row.id for row in rows}


async def _labels(session: AsyncSession, scope: Scope, tasks: Iterable[Planned]) -> dict[str, UUID]:
    names = sorted({word.lower() for task in tasks for word in task.labels})
    if not names:
        return {}
    rows = await session.execute(_LABELS, {"tenant": scope.tenant, "names": names})
    return {row.name: row.id for row in rows}


def _check_depth(plan: Plan, columns: dict[Target, str]) -> None:
    if plan.mistakes:
        return  # circles would make depth meaningless
    parents = {task.ref: task.parent for task in plan.tasks}
    for task in plan.tasks:
        depth, parent = 0, task.parent
        while parent is not None:
            depth, parent = depth + 1, parents[parent]
        if depth > MAX_DEPTH:
            message = N_("Sub-tasks nest at most %(most)s levels deep.", most=MAX_DEPTH)
            plan.refuse(task.line, columns[Target.PARENT], "too_deep", message, task.parent or "")
