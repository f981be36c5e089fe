"""Members of the firm."""

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import members, sessions
from zena.accounts.api.shapes import Body, SignedIn, signed_in_answer
from zena.accounts.callers import AnyRequest
from zena.accounts.permissions import Permission, Role
from zena.accounts.queries.members import Member, find_member, member_page
from zena.kit.access import in_tenant, may
from zena.kit.errors import NotFound
from zena.kit.pages import Page, page_limit, page_of
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of
from zena.kit.versions import etag, wanted_version

Search = Annotated[str | None, QueryParameter(max_length=200)]


class RoleChange(Body):
    role: Role


@get("/api/v1/app/members", opt=may(Permission.MEMBERS_VIEW))
async def member_list(  # noqa: PLR0913 - the filters of one list
    *,
    request: AnyRequest,
    session: AsyncSession,
    actor: Scope,
    q: Search = None,
    role: FromQuery[Role | None] = None,
    ended: FromQuery[bool] = False,
    limit: FromQuery[int | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Page[Member]:
    """The firm's members by name; `ended=true` for those who left."""
    cursors = state_of(request).cursors
    listing = f"{actor.tenant}:members:{q}:{role}:{ended}"
    values = cursors.open(listing, cursor) if cursor else ()
    size = page_limit(limit)
    rows = await member_page(session, actor, limit=size, values=values, q=q, role=role, ended=ended)
    found = page_of(rows, size, lambda row: cursors.seal(listing, (row.sort_key, row.member.id)))
    return Page([row.member for row in found.data], found.page)


@get("/api/v1/app/members/{member_id:uuid}", opt=may(Permission.MEMBERS_VIEW))
async def one_member(session: AsyncSession, actor: Scope, member_id: FromPath[UUID]) -> Response[Member]:
    """One member."""
    return _answer(await find_member(session, actor, member_id), member_id)


@patch("/api/v1/app/members/{member_id:uuid}", opt=may(Permission.MEMBERS_MANAGE))
async def change_role(
    request: AnyRequest, session: AsyncSession, actor: Scope, member_id: FromPath[UUID], data: RoleChange
) -> Response[Member]:
    """Give a member another role. They sign in anew."""
    version = wanted_version(request)
    await members.change_role(session, actor, member=member_id, role=data.role, version=version)
    return _answer(await find_member(session, actor, member_id), member_id)


@delete("/api/v1/app/members/{member_id:uuid}", opt=may(Permission.MEMBERS_MANAGE))
async def end_membership(session: AsyncSession, actor: Scope, member_id: FromPath[UUID]) -> None:
    """Remove a member. What they did stays theirs."""
    await members.end_membership(session, actor, member=member_id)


@post("/api/v1/app/members/{member_id:uuid}/ownership", opt=may(Permission.OWNERSHIP_TRANSFER), status_code=200)
async def transfer_ownership(
    request: AnyRequest, session: AsyncSession, actor: Scope, identity: Identity, member_id: FromPath[UUID]
) -> Response[SignedIn]:
    """Make this member owner and yourself admin."""
    await members.transfer_ownership(session, actor, identity, member=member_id)
    return signed_in_answer(request, await sessions.renew_session(session, identity))


@delete("/api/v1/app/membership", opt=in_tenant())
async def leave(session: AsyncSession, actor: Scope, identity: Identity) -> None:
    """Leave the firm."""
    await members.leave_tenant(session, actor, identity)


def _answer(found: Member | None, member_id: UUID) -> Response[Member]:
    if found is None:
        raise NotFound.of("member", member_id)
    return Response(found, headers=etag(found.version))


ROUTES = [member_list, one_member, change_role, end_membership, transfer_ownership, leave]
