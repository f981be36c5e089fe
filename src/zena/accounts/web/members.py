"""Members and invitations of the firm."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import invitations, members, sessions
from zena.accounts.cookies import session_cookie
from zena.accounts.permissions import Permission, Role
from zena.accounts.policy import grantable_roles
from zena.accounts.queries.invitations import offer_page
from zena.accounts.queries.members import count_roles, find_member, member_page
from zena.accounts.web.choices import ROLE_NAMES
from zena.accounts.web.forms import one, version
from zena.accounts.web.ways import AnyRequest, ask_again
from zena.kit.access import may
from zena.kit.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from zena.kit.html import page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.pages import DEFAULT_LIMIT, MAX_LIMIT, page_of
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of

LIST = "members/list.html"
REFUSALS = (Invalid, Conflict, Stale, Forbidden)
FILTERS = ("q", "role", "ended")


@get("/members", opt=may(Permission.MEMBERS_VIEW))
async def show(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    return await page(request, session, LIST, **await _list(request, session, actor))


@post("/invitations", opt=may(Permission.MEMBERS_MANAGE), status_code=303)
async def invite(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    form = await request.form()
    context = await _list(request, session, actor)
    async with refusing(request, session, LIST, form, form="invite", catch=REFUSALS, **context):
        made = await invitations.invite(
            session, actor, state_of(request), email=one(form, "email"), role=one(form, "role")
        )
    return await _after_invitation(request, session, actor, made)


@post("/invitations/{invitation_id:uuid}/delivery", opt=may(Permission.MEMBERS_MANAGE), status_code=303)
async def renew(
    request: AnyRequest, session: AsyncSession, actor: Scope, invitation_id: FromPath[UUID]
) -> Response[str]:
    made = await invitations.renew_invitation(session, actor, state_of(request), invitation=invitation_id)
    return await _after_invitation(request, session, actor, made)


@post("/invitations/{invitation_id:uuid}/revocation", opt=may(Permission.MEMBERS_MANAGE), status_code=303)
async def revoke(
    request: AnyRequest, session: AsyncSession, actor: Scope, invitation_id: FromPath[UUID]
) -> Response[str]:
    await invitations.revoke_invitation(session, actor, invitation=invitation_id)
    return see_other(request, "/members", toast=N_("The invitation is taken back."))


@post("/members/{member_id:uuid}/role", opt=may(Permission.MEMBERS_MANAGE), status_code=303)
async def change_role(
    request: AnyRequest, session: AsyncSession, actor: Scope, member_id: FromPath[UUID]
) -> Response[str]:
    form = await request.form()
    context = await _list(request, session, actor)
    async with refusing(request, session, LIST, form, form=f"role-{member_id}", catch=REFUSALS, **context):
        await members.change_role(session, actor, member=member_id, role=one(form, "role"), version=version(form))
    return see_other(request, "/members", toast=N_("The role is changed. They sign in anew."))


@post("/members/{member_id:uuid}/departure", opt=may(Permission.MEMBERS_MANAGE), status_code=303)
async def end(request: AnyRequest, session: AsyncSession, actor: Scope, member_id: FromPath[UUID]) -> Response[str]:
    context = await _list(request, session, actor)
    async with refusing(request, session, LIST, {}, form=f"end-{member_id}", catch=REFUSALS, **context):
        await members.end_membership(session, actor, member=member_id)
    return see_other(request, "/members", toast=N_("They no longer belong to the firm."))


@get("/members/{member_id:uuid}/ownership", opt=may(Permission.OWNERSHIP_TRANSFER))
async def show_transfer(
    request: AnyRequest, session: AsyncSession, actor: Scope, identity: Identity, member_id: FromPath[UUID]
) -> Response[str]:
    found = await find_member(session, actor, member_id)
    if found is None or found.ended_at is not None:
        raise NotFound.of("member", member_id)
    return ask_again(request, identity, request.url.path) or await page(
        request, session, "members/transfer.html", member=found
    )


@post("/members/{member_id:uuid}/ownership", opt=may(Permission.OWNERSHIP_TRANSFER), status_code=303)
async def transfer(
    request: AnyRequest, session: AsyncSession, actor: Scope, identity: Identity, member_id: FromPath[UUID]
) -> Response[str]:
    again = ask_again(request, identity, request.url.path)
    if again:
        return again
    await members.transfer_ownership(session, actor, identity, member=member_id)
    opened = await sessions.renew_session(session, identity)
    cookies = [session_cookie(state_of(request), opened)]
    return see_other(request, "/members", toast=N_("The firm has another owner now."), cookies=cookies)


async def _after_invitation(
    request: AnyRequest, session: AsyncSession, actor: Scope, made: invitations.Invited
) -> Response[str]:
    """Show the link once where nobody mails it, else say that a letter is on its way."""
    if made.link is None:
        return see_other(request, "/members", toast=N_("A letter is on its way to %(email)s.", email=made.offer.email))
    context = await _list(request, session, actor) | {"made": made}
    return await page(request, session, LIST, **context)


async def _list(request: AnyRequest, session: AsyncSession, actor: Scope) -> dict[str, Any]:
    given = {name: request.query_params.get(name, "")[:200] for name in FILTERS}
    cursor = request.query_params.get("cursor") if request.method == "GET" else None
    cursors = state_of(request).cursors
    listing = f"{actor.tenant}:members-page:{given}"
    rows = await member_page(
        session,
        actor,
        limit=DEFAULT_LIMIT,
        values=cursors.open(listing, cursor) if cursor else (),
        q=given["q"] or None,
        role=given["role"] if given["role"] in set(Role) else None,
        ended=bool(given["ended"]),
    )
    found = page_of(rows, DEFAULT_LIMIT, lambda row: cursors.seal(listing, (row.sort_key, row.member.id)))
    manages = actor.may(Permission.MEMBERS_MANAGE)
    offers = await offer_page(session, actor, limit=MAX_LIMIT, state="pending") if manages else []
    following = urlencode({**given, "cursor": found.page.next}) if found.page.next else None
    return {
        "members": [row.member for row in found.data],
        "next": f"/members?{following}" if following else None,
        "given": given,
        "counts": await count_roles(session, actor),
        "offers": offers,
        "grantable": [(role, ROLE_NAMES[role]) for role in grantable_roles(actor)] if manages else [],
        "roles": ROLE_NAMES,
        "made": None,
        "mails": state_of(request).settings.smtp_url is not None,
    }


ROUTES = [show, invite, renew, revoke, change_role, end, show_transfer, transfer]
