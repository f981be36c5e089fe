"""Which task waits for which."""

from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.scope import Scope
from zena.kit.uow import Reader
from zena.work.actions.dependencies import link_tasks, unlink_tasks
from zena.work.api.bodies import NewDependency
from zena.work.queries.dependencies import dependencies_of
from zena.work.queries.shapes import DependencyRow
from zena.work.queries.tasks import one_task

OF_TASK = "/api/v1/app/tasks/{task_id:uuid}/dependencies"


class Dependencies(msgspec.Struct, frozen=True):
    """What the task waits for (`predecessor`) and what waits for it (`successor`)."""

    data: list[DependencyRow]


@get(OF_TASK, opt=may(Permission.TASKS_VIEW))
async def dependencies(reader: Reader, task_id: FromPath[UUID]) -> Dependencies:
    """The dependencies of a task, both ways."""
    await one_task(reader.conn, reader.scope, task_id)
    return Dependencies(await dependencies_of(reader.conn, reader.scope, task_id))


@post(OF_TASK, opt=may(Permission.TASKS_UPDATE))
async def new_dependency(
    session: AsyncSession, actor: Scope, task_id: FromPath[UUID], data: NewDependency
) -> Dependencies:
    """Let the task wait for another one; 422 DEPENDENCY_CYCLE names the circle it would close."""
    other = data.predecessor_id
    await link_tasks(session, actor, successor_id=task_id, predecessor_id=other, kind=data.type, lag_min=data.lag_min)
    return Dependencies(await dependencies_of(await raw(session), actor, task_id))


@delete(f"{OF_TASK}/{{dependency_id:uuid}}", opt=may(Permission.TASKS_UPDATE))
async def remove_dependency(
    session: AsyncSession, actor: Scope, task_id: FromPath[UUID], dependency_id: FromPath[UUID]
) -> None:
    """Take a dependency away; the task is the one that waits."""
    await unlink_tasks(session, actor, successor_id=task_id, dependency_id=dependency_id)


ROUTES = [dependencies, new_dependency, remove_dependency]
