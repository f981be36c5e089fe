"""One's own page: who one is, the password, the sessions."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import passwords, people, sessions
from zena.accounts.cookies import look_cookie, no_cookie, session_cookie
from zena.accounts.entry import Entered
from zena.accounts.queries.people import has_password, own_sessions, second_factor
from zena.accounts.web.choices import THEME_NAMES, language_choices, timezone_choices
from zena.accounts.web.forms import one, version
from zena.accounts.web.ways import AnyRequest
from zena.kit.access import signed_in
from zena.kit.errors import Invalid, RateLimited, Unauthorized
from zena.kit.html import LOOK_COOKIE, page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Identity
from zena.kit.state import state_of

DETAILS, SECURITY = "profile/details.html", "profile/security.html"
FIELDS = ("name", "locale", "timezone")


@get("/profile", opt=signed_in())
async def show(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    return await page(request, session, DETAILS, **await _details(session, identity))


@post("/profile", opt=signed_in(), status_code=303)
async def change(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    form = await request.form()
    context = await _details(session, identity)
    async with refusing(request, session, DETAILS, form, **context):
        changes = {name: one(form, name) or None for name in FIELDS if name in form}
        if "theme" in form:
            changes["theme"] = one(form, "theme")
        changed = await people.change_profile(session, identity, changes=changes, version=version(form))
    look = look_cookie(state_of(request), request.cookies.get(LOOK_COOKIE, ""), changed.theme)
    return see_other(request, "/profile", toast=N_("Saved."), cookies=[look] if "theme" in form else [])


@get("/profile/security", opt=signed_in())
async def security(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    return await page(request, session, SECURITY, **await _security(session, identity))


@post("/profile/password", opt=signed_in(), status_code=303)
async def change_password(
    request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered
) -> Response[str]:
    form = await request.form()
    context = await _security(session, identity)
    state = state_of(request)
    refusals = (Invalid, Unauthorized, RateLimited)
    async with refusing(request, session, SECURITY, form, form="password", catch=refusals, **context):
        opened = await passwords.change_password(
            session, state, identity, visitor.scope, current=one(form, "current"), new=one(form, "new")
        )
    toast = N_("Your password is changed. All other sessions have ended.")
    return see_other(request, "/profile/security", toast=toast, cookies=[session_cookie(state, opened)])


@post("/profile/sessions/{session_id:uuid}/end", opt=signed_in(), status_code=303)
async def end_session(
    request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered, session_id: FromPath[UUID]
) -> Response[str]:
    await sessions.end_session(session, identity, visitor.scope, target=session_id)
    if session_id == identity.session:
        return see_other(request, "/sign-in", cookies=[no_cookie(state_of(request))])
    return see_other(request, "/profile/security", toast=N_("That session has ended."))


@post("/profile/sessions/end", opt=signed_in(), status_code=303)
async def end_others(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> Response[str]:
    await sessions.end_other_sessions(session, identity, visitor.scope, reason="revoked")
    return see_other(request, "/profile/security", toast=N_("All other sessions have ended."))


async def _details(session: AsyncSession, identity: Identity) -> dict[str, Any]:
    return {
        "profile": await people.profile(session, identity),
        "languages": language_choices(),
        "timezones": timezone_choices(),
        "themes": THEME_NAMES,
    }


async def _security(session: AsyncSession, identity: Identity) -> dict[str, Any]:
    return {
        "factor": await second_factor(session, identity),
        "sessions": await own_sessions(session, identity),
        "has_password": await has_password(session, identity),
    }


ROUTES = [show, change, security, change_password, end_session, end_others]
