"""What other slices may use of work: read-only pictures of it, and the ways to put much of it in at once."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from zena.kit.db import Raw
from zena.kit.scope import Scope
from zena.work.actions.insert import insert_tasks
from zena.work.actions.planned import NewLink, NewTask
from zena.work.actions.projects import create_project
from zena.work.actions.tasks import create_task
from zena.work.checks import COUNTERS
from zena.work.policy import access_project, access_task
from zena.work.progress import project_percent
from zena.work.queries.bound import Bound
from zena.work.queries.places import Place, is_in_project, is_seen, places
from zena.work.queries.projects import check_project_seen
from zena.work.queries.sight import project_sight

__all__ = [
    "COUNTERS",
    "NewLink",
    "NewTask",
    "Place",
    "ProjectCard",
    "access_project",
    "access_task",
    "check_project_seen",
    "create_project",
    "create_task",
    "insert_tasks",
    "is_in_project",
    "is_seen",
    "places",
    "project_cards",
    "visible_projects",
]


@dataclass(frozen=True, slots=True)
class ProjectCard:
    """A project with its figures, all from counters."""

    id: UUID
    key: str
    name: str
    status: str
    owner_id: UUID | None
    start_on: date | None
    end_on: date | None
    backlog: int
    in_progress: int
    blocked: int
    done: int
    canceled: int
    overdue: int
    weight: int
    weight_progress: int

    @property
    def total(self) -> int:
        return self.backlog + self.in_progress + self.blocked + self.done + self.canceled

    @property
    def open(self) -> int:
        return self.backlog + self.in_progress + self.blocked

    @property
    def progress(self) -> float:
        return project_percent(self.weight, self.weight_progress)


async def project_cards(conn: Raw, scope: Scope, *, archived: bool = False, limit: int = 1000) -> list[ProjectCard]:
    """Return the projects the actor sees, in their order; archived ones only when asked."""
    bound = Bound([scope.tenant, scope.today])
    sight, kept = project_sight(scope, bound), "TRUE" if archived else "p.status <> 'archived'"
    rows = await conn.fetch(
        "SELECT p.id, p.key, p.name, p.status, p.owner_id, p.start_on, p.end_on, s.backlog, s.in_progress, s.blocked,"  # noqa: S608 - values are bound
        " s.done, s.canceled, coalesce(d.overdue, 0)::bigint AS overdue, s.weight, s.weight_progress"
        " FROM project p JOIN project_stats s ON s.tenant_id = p.tenant_id AND s.project_id = p.id"
        " LEFT JOIN (SELECT o.project_id, sum(o.open) AS overdue FROM project_due_stats o"
        " WHERE o.tenant_id = $1 AND o.due_on < $2 GROUP BY o.project_id) d ON d.project_id = p.id"
        f" WHERE p.tenant_id = $1 AND p.deleted_at IS NULL AND {kept} AND {sight}"
        f" ORDER BY p.position, p.id LIMIT {bound.mark(limit)}",
        *bound.values,
    )
    return [ProjectCard(**row) for row in rows]


async def visible_projects(conn: Raw, scope: Scope) -> set[UUID]:
    """Return the ids of the live projects the actor sees: what search, activity and exports filter by."""
    bound = Bound([scope.tenant])
    rows = await conn.fetch(
        f"SELECT p.id FROM project p WHERE p.tenant_id = $1 AND p.deleted_at IS NULL AND {project_sight(scope, bound)}",  # noqa: S608 - values are bound
        *bound.values,
    )
    return {row["id"] for row in rows}
