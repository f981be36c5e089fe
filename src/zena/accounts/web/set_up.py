"""The first start of an installation: found the first firm, become its owner."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import set_up
from zena.accounts.web.choices import currency_choices, language_choices, timezone_choices
from zena.accounts.web.forms import one
from zena.accounts.web.ways import AnyRequest, arrive, caller_of
from zena.kit.access import public
from zena.kit.errors import Unauthorized
from zena.kit.html import page, refusing
from zena.kit.i18n import N_, choose_locale
from zena.kit.state import state_of

FORM, DEAD = "set_up/form.html", "sign_in/dead.html"


@get("/set-up/{token:str}", opt=public())
async def show(request: AnyRequest, session: AsyncSession, token: FromPath[str]) -> Response[str]:
    try:
        await set_up.check_set_up_link(session, token=token)
    except Unauthorized as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    return await page(request, session, FORM, **_choices(request, token))


@post("/set-up/{token:str}", opt=public(), status_code=303)
async def found(request: AnyRequest, session: AsyncSession, token: FromPath[str]) -> Response[str]:
    form = await request.form()
    try:
        await set_up.check_set_up_link(session, token=token)
    except Unauthorized as problem:
        return await page(request, session, DEAD, status=404, problem=problem)
    async with refusing(request, session, FORM, form, **_choices(request, token)):
        opened = await set_up.set_up(
            session,
            state_of(request),
            token=token,
            firm=one(form, "firm"),
            name=one(form, "name"),
            email=one(form, "email"),
            password=one(form, "password"),
            timezone=one(form, "timezone") or "Asia/Ho_Chi_Minh",
            locale=one(form, "locale") or "en",
            currency=one(form, "currency") or "VND",
            caller=caller_of(request),
        )
    return arrive(request, opened, "/", toast=N_("Welcome. Your firm is ready."))


def _choices(request: AnyRequest, token: str) -> dict[str, Any]:
    return {
        "token": token,
        "locale": choose_locale(accept_language=request.headers.get("accept-language")),
        "languages": language_choices(),
        "timezones": timezone_choices(),
        "currencies": currency_choices(),
    }


ROUTES = [show, found]
