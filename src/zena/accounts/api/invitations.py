"""Invitations: what a firm offers, and what whoever holds a link can do with it."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, FromQuery, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import invitations, sessions
from zena.accounts.api.shapes import Body, SignedIn, signed_in_answer
from zena.accounts.callers import AnyRequest, caller_of
from zena.accounts.entry import Entered
from zena.accounts.permissions import Permission, Role
from zena.accounts.queries.invitations import Offer, Opened, offer_page
from zena.kit.access import may, public, signed_in
from zena.kit.pages import Page, page_limit, page_of
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of

State = Literal["pending", "accepted", "declined", "revoked", "expired"]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Wish(Body):
    email: Annotated[str, msgspec.Meta(max_length=320)]
    role: Role


class Link(Body):
    """The last part of an invitation's address."""

    token: Key


class NewPerson(Body):
    token: Key
    name: Annotated[str, msgspec.Meta(max_length=300)]
    password: Annotated[str, msgspec.Meta(max_length=4096)]


class Invited(msgspec.Struct):
    """`link` is there only where no mail server is set: pass it on, it is not shown again."""

    invitation: Offer
    link: str | None


@get("/api/v1/app/invitations", opt=may(Permission.MEMBERS_MANAGE))
async def invitation_list(
    request: AnyRequest,
    session: AsyncSession,
    actor: Scope,
    with_state: Annotated[State | None, QueryParameter(name="state")] = None,
    limit: FromQuery[int | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Page[Offer]:
    """The firm's invitations, newest first."""
    cursors = state_of(request).cursors
    listing = f"{actor.tenant}:invitations:{with_state}"
    values = cursors.open(listing, cursor) if cursor else ()
    size = page_limit(limit)
    rows = await offer_page(session, actor, limit=size, values=values, state=with_state)
    return page_of(rows, size, lambda row: cursors.seal(listing, (row.created_at, row.id)))


@post("/api/v1/app/invitations", opt=may(Permission.MEMBERS_MANAGE) | {"secret": True})
async def invite(request: AnyRequest, session: AsyncSession, actor: Scope, data: Wish) -> Invited:
    """Invite an address."""
    made = await invitations.invite(session, actor, state_of(request), email=data.email, role=data.role)
    return Invited(made.offer, made.link)


@delete("/api/v1/app/invitations/{invitation_id:uuid}", opt=may(Permission.MEMBERS_MANAGE))
async def revoke(session: AsyncSession, actor: Scope, invitation_id: FromPath[UUID]) -> None:
    """Take an open invitation back."""
    await invitations.revoke_invitation(session, actor, invitation=invitation_id)


@post(
    "/api/v1/app/invitations/{invitation_id:uuid}/delivery",
    opt=may(Permission.MEMBERS_MANAGE) | {"secret": True},
    status_code=200,
)
async def renew(request: AnyRequest, session: AsyncSession, actor: Scope, invitation_id: FromPath[UUID]) -> Invited:
    """Send an open invitation again, with a new link and a new week."""
    made = await invitations.renew_invitation(session, actor, state_of(request), invitation=invitation_id)
    return Invited(made.offer, made.link)


@post("/api/v1/auth/invitation", opt=public(), status_code=200)
async def look(session: AsyncSession, visitor: Entered, data: Link) -> Opened:
    """See what an invitation's link offers."""
    return await invitations.look_at_invitation(session, visitor.identity, token=data.token)


@post("/api/v1/auth/invitation/acceptance", opt=signed_in(), status_code=200)
async def accept(request: AnyRequest, session: AsyncSession, identity: Identity, data: Link) -> Response[SignedIn]:
    """Join with the account you are signed in with, and act in the new firm."""
    tenant = await invitations.accept_invitation(session, identity, token=data.token, caller=caller_of(request))
    now = state_of(request).clock.now()
    return signed_in_answer(request, await sessions.switch_tenant(session, identity, tenant=tenant, at=now))


@post("/api/v1/auth/invitation/account", opt=public(), status_code=201)
async def accept_as_new(
    request: AnyRequest, session: AsyncSession, visitor: Entered, data: NewPerson
) -> Response[SignedIn]:
    """Join with a new account for the invited address."""
    opened = await invitations.accept_as_new(
        session,
        state_of(request),
        token=data.token,
        name=data.name,
        password=data.password,
        caller=caller_of(request, visitor),
    )
    answer = signed_in_answer(request, opened)
    answer.status_code = 201
    return answer


@post("/api/v1/auth/invitation/refusal", opt=public(), status_code=204)
async def decline(request: AnyRequest, session: AsyncSession, data: Link) -> None:
    """Turn an invitation down."""
    await invitations.decline_invitation(session, token=data.token, caller=caller_of(request))


ROUTES = [invitation_list, invite, revoke, renew, look, accept, accept_as_new, decline]
