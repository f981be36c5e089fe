"""One's API tokens in the present firm."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import tokens
from zena.accounts.permissions import Permission
from zena.accounts.queries.tokens import token_page
from zena.accounts.web.forms import many, one
from zena.accounts.web.ways import AnyRequest, ask_again
from zena.kit.access import in_tenant
from zena.kit.errors import Conflict, Invalid
from zena.kit.html import page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.pages import MAX_LIMIT
from zena.kit.scope import Identity, Scope

LIST = "profile/tokens.html"
LIVES: Final = (("7", N_("7 days")), ("30", N_("30 days")), ("90", N_("90 days")), ("365", N_("one year")))


@get("/profile/tokens", opt=in_tenant())
async def show(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    return await page(request, session, LIST, **await _list(request, session, actor))


@post("/profile/tokens", opt=in_tenant(), status_code=200)
async def create(request: AnyRequest, session: AsyncSession, actor: Scope, identity: Identity) -> Response[str]:
    again = ask_again(request, identity, "/profile/tokens")
    if again:
        return again
    form = await request.form()
    context = await _list(request, session, actor)
    async with refusing(request, session, LIST, form, form="token", catch=(Invalid, Conflict), **context):
        made = await tokens.create_token(
            session,
            actor,
            identity,
            name=one(form, "name"),
            scopes=many(form, "scopes"),
            expires_at=actor.at + timedelta(days=_days(one(form, "days"))),
        )
    context = await _list(request, session, actor) | {"made": made}
    return await page(request, session, LIST, **context)


@post("/profile/tokens/{token_id:uuid}/revocation", opt=in_tenant(), status_code=303)
async def revoke(request: AnyRequest, session: AsyncSession, actor: Scope, token_id: FromPath[UUID]) -> Response[str]:
    await tokens.revoke_token(session, actor, token=token_id)
    return see_other(request, "/profile/tokens", toast=N_("The token is revoked."))


def _days(value: str) -> int:
    if value not in dict(LIVES):
        raise Invalid.field("days", N_("Choose one of these."), "choice")
    return int(value)


async def _list(request: AnyRequest, session: AsyncSession, actor: Scope) -> dict[str, Any]:
    everyone = bool(request.query_params.get("everyone")) and actor.may(Permission.TOKENS_MANAGE)
    return {
        "tokens": await token_page(session, actor, limit=MAX_LIMIT, everyone=everyone),
        "everyone": everyone,
        "offered": sorted(actor.permissions),
        "lives": LIVES,
        "made": None,
    }


ROUTES = [show, create, revoke]
