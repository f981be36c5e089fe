"""Key figures for programs."""

from typing import Any
from uuid import UUID

from litestar import get

from zena.accounts.facade import Permission
from zena.insight import kpis
from zena.insight.figures import (
    DashboardFigures,
    Kpis,
    ProjectFigures,
    ProjectHealth,
    ProjectsFigures,
    TasksFigures,
    TeamFigures,
)
from zena.kit.access import may
from zena.kit.html import AnyRequest
from zena.kit.state import state_of
from zena.kit.uow import Reader

SEEN = may(Permission.REPORTS_VIEW)


@get("/api/v1/app/dashboard", opt=SEEN)
async def dashboard(request: AnyRequest, reader: Reader) -> Kpis[DashboardFigures]:
    """The firm at a glance, with the figures of a week ago under `past`."""
    return await _family(request, reader, "dashboard")


@get("/api/v1/app/dashboard/projects", opt=SEEN)
async def projects(request: AnyRequest, reader: Reader) -> Kpis[ProjectsFigures]:
    """Projects by status, priority and health, and the running ones that need help first."""
    return await _family(request, reader, "projects")


@get("/api/v1/app/dashboard/tasks", opt=SEEN)
async def tasks(request: AnyRequest, reader: Reader) -> Kpis[TasksFigures]:
    """Tasks by status, priority and assignee, created and done per day, cycle and lead time."""
    return await _family(request, reader, "tasks")


@get("/api/v1/app/dashboard/team", opt=SEEN)
async def team(request: AnyRequest, reader: Reader) -> Kpis[TeamFigures]:
    """People by role and their open work."""
    return await _family(request, reader, "team")


@get("/api/v1/app/projects/{project_id:uuid}/kpis", opt=SEEN)
async def project_kpis(reader: Reader, project_id: UUID) -> Kpis[ProjectFigures]:
    """One project's counters."""
    figures, _ = await kpis.of_project(reader.conn, reader.scope, project_id)
    return figures


@get("/api/v1/app/projects/{project_id:uuid}/health", opt=SEEN)
async def project_health(reader: Reader, project_id: UUID) -> Kpis[ProjectHealth]:
    """How one project stands: schedule, cost, and both together."""
    _, health = await kpis.of_project(reader.conn, reader.scope, project_id)
    return health


async def _family(request: AnyRequest, reader: Reader, name: str) -> Kpis[Any]:
    return await kpis.family(reader.conn, reader.scope, state_of(request).cache, name)


ROUTES = [dashboard, projects, tasks, team, project_kpis, project_health]
