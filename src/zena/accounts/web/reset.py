"""A forgotten password: asking for a link, and using it."""

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import passwords, sign_in
from zena.accounts.web.forms import one
from zena.accounts.web.ways import AnyRequest, caller_of
from zena.kit.access import public
from zena.kit.errors import Unauthorized
from zena.kit.html import page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.state import state_of
from zena.kit.visit import visit_of

ASK, NEW, DEAD = "reset/ask.html", "reset/new.html", "sign_in/dead.html"


@get("/reset", opt=public())
async def show(request: AnyRequest, session: AsyncSession) -> Response[str]:
    return await page(request, session, ASK, asked=False)


@post("/reset", opt=public(), status_code=200)
async def ask(request: AnyRequest, session: AsyncSession) -> Response[str]:
    """Answer the same for any address."""
    form = await request.form()
    async with refusing(request, session, ASK, form, asked=False):
        client = visit_of(request.scope).client
        await passwords.request_reset(session, state_of(request), email=one(form, "email"), ip=client)
    return await page(request, session, ASK, asked=True)


@get("/reset/{token:str}", opt=public())
async def show_new(request: AnyRequest, session: AsyncSession, token: FromPath[str]) -> Response[str]:
    try:
        await sign_in.link_owner(session, kind="reset", token=token)
    except Unauthorized as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    return await page(request, session, NEW, token=token)


@post("/reset/{token:str}", opt=public(), status_code=303)
async def choose(request: AnyRequest, session: AsyncSession, token: FromPath[str]) -> Response[str]:
    form = await request.form()
    try:
        await sign_in.link_owner(session, kind="reset", token=token)
    except Unauthorized as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    async with refusing(request, session, NEW, form, token=token):
        await passwords.reset_password(
            session,
            token=token,
            new=one(form, "password"),
            caller=caller_of(request),
            at=state_of(request).clock.now(),
        )
    return see_other(request, "/sign-in", toast=N_("Your password is changed. Sign in with it."))


ROUTES = [show, ask, show_new, choose]
