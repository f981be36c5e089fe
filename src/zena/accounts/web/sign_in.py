"""Signing in: password, second factor, one-time link, and out again."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import sessions, sign_in
from zena.accounts.actions.set_up import is_set_up
from zena.accounts.cookies import no_cookie, session_cookie
from zena.accounts.credentials import cookie_name
from zena.accounts.entry import Entered
from zena.accounts.policy import check_browser
from zena.accounts.queries.people import has_password, second_factor
from zena.accounts.web.forms import one
from zena.accounts.web.ways import AnyRequest, arrive, caller_of, with_next
from zena.kit.access import public, signed_in
from zena.kit.errors import Invalid, RateLimited, Unauthorized
from zena.kit.html import page, refusing, see_other
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.kit.text import safe_next

PASSWORD, CODE = "sign_in/password.html", "sign_in/code.html"
LINK, CONFIRM, DEAD = "sign_in/link.html", "sign_in/confirm.html", "sign_in/dead.html"
REFUSALS = (Invalid, Unauthorized, RateLimited)


@get("/sign-in", opt=public())
async def show(request: AnyRequest, session: AsyncSession, visitor: Entered) -> Response[str]:
    following = safe_next(request.query_params.get("next"))
    if visitor.identity and visitor.identity.session:
        return see_other(request, following if visitor.scope else "/firms")
    return await page(request, session, PASSWORD, following=following, is_new=not await is_set_up(session))


@post("/sign-in", opt=public(), status_code=303)
async def password(request: AnyRequest, session: AsyncSession, visitor: Entered) -> Response[str]:
    form = await request.form()
    following = safe_next(str(form.get("next", "/")))
    known: dict[str, Any] = {"following": following, "is_new": False}
    async with refusing(request, session, PASSWORD, form, catch=REFUSALS, **known):
        opened = await sign_in.sign_in(
            session,
            state_of(request),
            email=one(form, "email"),
            password=one(form, "password"),
            caller=caller_of(request, visitor),
        )
    return arrive(request, opened, following)


@get("/sign-in/code", opt=public())
async def show_code(request: AnyRequest, session: AsyncSession) -> Response[str]:
    following = safe_next(request.query_params.get("next"))
    state = state_of(request)
    try:
        await sign_in.half_session(state, request.cookies.get(cookie_name(state)))
    except Unauthorized:
        return see_other(request, with_next("/sign-in", following))
    return await page(request, session, CODE, following=following)


@post("/sign-in/code", opt=public(), status_code=303)
async def code(request: AnyRequest, session: AsyncSession) -> Response[str]:
    form = await request.form()
    following = safe_next(str(form.get("next", "/")))
    state = state_of(request)
    async with refusing(request, session, CODE, form, catch=REFUSALS, following=following):
        opened = await sign_in.pass_second_factor(
            session,
            state,
            cookie=request.cookies.get(cookie_name(state)),
            code=one(form, "code"),
            caller=caller_of(request),
        )
    return arrive(request, opened, following)


@get("/sign-in/link/{token:str}", opt=public())
async def show_link(request: AnyRequest, session: AsyncSession, token: FromPath[str]) -> Response[str]:
    """Show a button: opening an address must not use a link up, for programs open addresses too."""
    try:
        await sign_in.link_owner(session, kind="sign_in", token=token)
    except Unauthorized as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    return await page(request, session, LINK, token=token)


@post("/sign-in/link/{token:str}", opt=public(), status_code=303)
async def use_link(request: AnyRequest, session: AsyncSession, visitor: Entered, token: FromPath[str]) -> Response[str]:
    try:
        opened = await sign_in.sign_in_by_link(
            session, state_of(request), token=token, caller=caller_of(request, visitor)
        )
    except Unauthorized as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    return arrive(request, opened, "/")


@get("/confirm", opt=signed_in())
async def show_confirm(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    following = safe_next(request.query_params.get("next"))
    return await page(request, session, CONFIRM, **await _asked(session, identity, following))


@post("/confirm", opt=signed_in(), status_code=303)
async def confirm(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    form = await request.form()
    following = safe_next(str(form.get("next", "/")))
    state = state_of(request)
    asked = await _asked(session, identity, following)
    async with refusing(request, session, CONFIRM, form, catch=REFUSALS, **asked):
        opened = await sign_in.confirm_identity(
            session, state, identity, password=one(form, "password"), code=one(form, "code")
        )
    return see_other(request, following, cookies=[session_cookie(state, opened)])


@post("/sign-out", opt=signed_in(), status_code=303)
async def sign_out(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> Response[str]:
    await sessions.end_session(session, identity, visitor.scope, target=check_browser(identity))
    return see_other(request, "/sign-in", cookies=[no_cookie(state_of(request))])


async def _asked(session: AsyncSession, identity: Identity, following: str) -> dict[str, Any]:
    """Return what confirming asks of this person: a code too, or, of somebody without a password, to choose one."""
    return {
        "following": following,
        "factor": (await second_factor(session, identity)).enabled,
        "has_password": await has_password(session, identity),
    }


ROUTES = [show, password, show_code, code, show_link, use_link, show_confirm, confirm, sign_out]
