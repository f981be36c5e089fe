"""Who takes part in a project, and as what."""

from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.scope import Scope
from zena.work.change import change
from zena.work.events import ProjectMemberChanged
from zena.work.fields import check_choice, check_members
from zena.work.models import ProjectMember
from zena.work.policy import access_project
from zena.work.workflow import restricted

PARTS: Final = ("manager", "contributor", "viewer")


async def set_project_member(
    session: AsyncSession, scope: Scope, *, project_id: UUID, member_id: UUID, role: str | None
) -> None:
    """Give a member a part in the project (manager, contributor, viewer), or take it away with None.

    Taking away what a member does not have changes nothing; somebody the firm does not have is refused (404).
    """
    project = await access_project(session, scope, project_id, Permission.PROJECTS_UPDATE)
    if project.status == "archived":
        raise restricted(project.status)
    if role is not None:
        check_choice({"role": role}, "role", PARTS)
    row = {"tenant_id": scope.tenant, "project_id": project.id, "member_id": member_id}
    mine = [getattr(ProjectMember, name) == value for name, value in row.items()]
    old = await session.scalar(select(ProjectMember.role).where(*mine))
    if role is not None or old is None:
        await check_members(session, scope, [member_id])
    if old == role:
        return
    async with change(session, scope) as made:
        if role is None:
            await session.execute(delete(ProjectMember).where(*mine))
        else:
            put = insert(ProjectMember).values(**row, role=role, added_at=scope.at)
            await session.execute(put.on_conflict_do_update(constraint="pk_project_member", set_={"role": role}))
        happened = ProjectMemberChanged(subject=project.id, project=project.id, member=member_id, role=role)
        made.record(happened, before={"role": old}, after={"role": role})
