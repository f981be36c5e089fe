"""Who may listen to live changes of tasks and projects: those who may read them, with the same answers."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from zena.accounts.permissions import Permission
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.events import EVENTS
from zena.kit.registry import EventRow
from zena.kit.scope import Scope
from zena.work.queries.projects import check_project_seen
from zena.work.queries.sight import is_client
from zena.work.queries.tasks import one_task

#: Facts beside those of single tasks that change what a list of tasks shows.
_TASKS_TOO: Final = frozenset({"project.status_changed", "project.created", "import.applied"})
_MINE: Final = "SELECT m.project_id FROM project_member m WHERE m.tenant_id = $1 AND m.member_id = $2"


@dataclass(slots=True)
class Sight:
    """What a listener may see: everything in the firm, or (a client) some projects without what is internal.

    Kept up to date by the events themselves: a client who is taken out of a project hears nothing more of it.
    """

    member: UUID | None
    projects: set[UUID] | None
    cost: bool

    @classmethod
    async def of(cls, conn: Raw, scope: Scope) -> "Sight":
        projects = None
        if is_client(scope):
            projects = {row["project_id"] for row in await conn.fetch(_MINE, scope.tenant, scope.member)}
        return cls(scope.member, projects, scope.may(Permission.COST_VIEW))

    def takes_in(self, event: EventRow) -> bool:
        if event.type == "project.budget_changed" and not self.cost:
            return False
        if self.projects is None:
            return True
        if event.type == "project.member_changed" and event.payload.get("member") == str(self.member):
            self._moved(event)
        seen = event.project_id is None or event.project_id in self.projects
        return seen and not event.payload.get("internal", False)

    def _moved(self, event: EventRow) -> None:
        if self.projects is not None and event.project_id is not None:
            change = self.projects.discard if event.payload.get("role") is None else self.projects.add
            change(event.project_id)


class TasksChannel:
    """`tasks`: every task the listener may see; `tasks:{id}`: those of one project, or one task."""

    async def allow(self, conn: Raw, scope: Scope, object_id: str | None) -> Sight:
        scope.require(Permission.TASKS_VIEW)
        if object_id is not None:
            await _check_project_or_task(conn, scope, _uuid(object_id, "task"))
        return await Sight.of(conn, scope)

    def visible(self, event: EventRow, object_id: str | None, allowed: Any) -> bool:
        """Tell whether the event changes what a list, a board or a panel shows."""
        sight: Sight = allowed
        if not sight.takes_in(event):
            return False
        if event.subject_type == "label":
            return True
        if event.subject_type not in {"task", "comment"} and event.type not in _TASKS_TOO:
            return False
        return object_id is None or object_id.lower() in {str(event.project_id), str(event.subject_id)}


class ProjectsChannel:
    """`projects`: the list, whose rows show figures; `projects:{id}`: one project and everything in it."""

    async def allow(self, conn: Raw, scope: Scope, object_id: str | None) -> Sight:
        scope.require(Permission.PROJECTS_VIEW)
        if object_id is not None:
            await check_project_seen(conn, scope, _uuid(object_id, "project"))
        return await Sight.of(conn, scope)

    def visible(self, event: EventRow, object_id: str | None, allowed: Any) -> bool:
        """Tell whether the event changes a project or its figures."""
        sight: Sight = allowed
        if not sight.takes_in(event):
            return False
        if object_id is not None:
            return object_id.lower() == str(event.project_id)
        declared = EVENTS.get(event.type)
        return event.subject_type == "project" or (declared is not None and "projects" in declared.families)


async def _check_project_or_task(conn: Raw, scope: Scope, object_id: UUID) -> None:
    try:
        await check_project_seen(conn, scope, object_id)
    except NotFound:
        await one_task(conn, scope, object_id)


def _uuid(text: str, kind: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound.of(kind) from None
