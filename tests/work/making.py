"""Short ways to make work for tests, through the actions themselves."""

from typing import Any
from uuid import UUID

from tests.factories import Firm
from zena.accounts.permissions import Role
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.bulk import Wish, change_tasks
from zena.work.actions.dependencies import link_tasks
from zena.work.actions.labels import create_label
from zena.work.actions.members import set_project_member
from zena.work.actions.projects import create_project
from zena.work.actions.tasks import create_task

PARTS = {"member": "contributor", "viewer": "viewer", "client": "viewer"}


async def made_project(state: State, firm: Firm, *, by: str = "pm", parts: bool = True, **fields: Any) -> UUID:
    """A project in planning; with parts, the member contributes, viewer and client look on."""
    scope = firm.scope(by)
    async with tenant_work(state.db, scope) as session:
        project = await create_project(session, scope, **({"name": "Harbour Bridge Repair"} | fields))
        for role, part in PARTS.items() if parts else ():
            member = firm.people[Role(role)].member
            await set_project_member(session, scope, project_id=project.id, member_id=member, role=part)
    return project.id


async def made_task(state: State, firm: Firm, project: UUID, *, by: str = "pm", **fields: Any) -> UUID:
    scope = firm.scope(by)
    async with tenant_work(state.db, scope) as session:
        held = await create_task(session, scope, project_id=project, **({"name": "Dig"} | fields))
    return held.task.id


async def made_link(state: State, firm: Firm, before: UUID, after: UUID, kind: str = "FS") -> UUID:
    scope = firm.scope("pm")
    async with tenant_work(state.db, scope) as session:
        link = await link_tasks(session, scope, successor_id=after, predecessor_id=before, kind=kind)
    return link.id


async def made_label(state: State, firm: Firm, name: str = "Urgent permits") -> UUID:
    scope = firm.scope("pm")
    async with tenant_work(state.db, scope) as session:
        label = await create_label(session, scope, name=name, hue=2)
    return label.id


async def made_bulk(state: State, firm: Firm, task: UUID) -> UUID:
    """A bulk change of the project manager's, to be undone."""
    scope = firm.scope("pm")
    async with tenant_work(state.db, scope) as session:
        result = await change_tasks(session, scope, ids=[task], wish=Wish(set={"priority": "low"}))
    assert result.id is not None
    return result.id
