"""An invitation as whoever opens its link sees it."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import invitations, sessions
from zena.accounts.entry import Entered
from zena.accounts.web.choices import ROLE_NAMES
from zena.accounts.web.forms import one
from zena.accounts.web.ways import AnyRequest, arrive, caller_of
from zena.kit.access import public
from zena.kit.errors import NotFound
from zena.kit.html import page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.state import state_of
from zena.kit.uow import enter_tenant

OFFER, DEAD = "invitation/offer.html", "sign_in/dead.html"


@get("/invitation/{token:str}", opt=public())
async def show(request: AnyRequest, session: AsyncSession, visitor: Entered, token: FromPath[str]) -> Response[str]:
    try:
        letter = await invitations.look_at_invitation(session, visitor.identity, token=token)
    except NotFound as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    await _go_back(session, visitor)
    who = visitor.identity
    return await page(request, session, OFFER, letter=letter, token=token, visitor=who, roles=ROLE_NAMES)


@post("/invitation/{token:str}", opt=public(), status_code=303)
async def accept(request: AnyRequest, session: AsyncSession, visitor: Entered, token: FromPath[str]) -> Response[str]:
    """Join: with the account somebody is signed in with, else with a new one."""
    form = await request.form()
    state = state_of(request)
    try:
        letter = await invitations.look_at_invitation(session, visitor.identity, token=token)
    except NotFound as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    await _go_back(session, visitor)
    known: dict[str, Any] = {"letter": letter, "token": token, "visitor": visitor.identity, "roles": ROLE_NAMES}
    async with refusing(request, session, OFFER, form, **known):
        if visitor.identity is None:
            opened = await invitations.accept_as_new(
                session,
                state,
                token=token,
                name=one(form, "name"),
                password=one(form, "password"),
                caller=caller_of(request),
            )
        else:
            tenant = await invitations.accept_invitation(
                session, visitor.identity, token=token, caller=caller_of(request)
            )
            now = state.clock.now()
            opened = await sessions.switch_tenant(session, visitor.identity, tenant=tenant, at=now)
    return arrive(request, opened, "/", toast=N_("Welcome to %(firm)s.", firm=letter.tenant_name))


@post("/invitation/{token:str}/refusal", opt=public(), status_code=303)
async def decline(request: AnyRequest, session: AsyncSession, token: FromPath[str]) -> Response[str]:
    try:
        await invitations.decline_invitation(session, token=token, caller=caller_of(request))
    except NotFound as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    return see_other(request, "/sign-in", toast=N_("You declined the invitation."))


async def _go_back(session: AsyncSession, visitor: Entered) -> None:
    """Bind the transaction to the visitor's own firm again: the page around the offer is theirs."""
    scope, identity = visitor.scope, visitor.identity
    await enter_tenant(session, scope.tenant if scope else None, identity.user if identity else None)


ROUTES = [show, accept, decline]
