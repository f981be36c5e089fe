"""API tokens."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import tokens
from zena.accounts.api.shapes import Body
from zena.accounts.callers import AnyRequest
from zena.accounts.permissions import Permission
from zena.accounts.queries.tokens import Token, token_page
from zena.kit.access import in_tenant
from zena.kit.pages import Page, page_limit, page_of
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of


class Wish(Body):
    """`scopes` are permissions you hold, such as `tasks.view`. `expires_at` is within a year."""

    name: Annotated[str, msgspec.Meta(max_length=300)]
    scopes: Annotated[list[str], msgspec.Meta(max_length=100)]
    expires_at: datetime


class NewToken(msgspec.Struct):
    """`secret` is the token itself: it is not shown again."""

    token: Token
    secret: str


@get("/api/v1/app/tokens", opt=in_tenant())
async def token_list(
    request: AnyRequest,
    session: AsyncSession,
    actor: Scope,
    everyone: FromQuery[bool] = False,  # noqa: FBT002 - a filter of the list
    limit: FromQuery[int | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Page[Token]:
    """Your tokens in this firm; `everyone=true` for the whole firm's, which needs tokens.manage."""
    if everyone:
        actor.require(Permission.TOKENS_MANAGE)
    cursors = state_of(request).cursors
    listing = f"{actor.tenant}:tokens:{actor.member if not everyone else 'all'}"
    values = cursors.open(listing, cursor) if cursor else ()
    size = page_limit(limit)
    rows = await token_page(session, actor, limit=size, values=values, everyone=everyone)
    return page_of(rows, size, lambda row: cursors.seal(listing, (row.created_at, row.id)))


@post("/api/v1/app/tokens", opt=in_tenant() | {"secret": True})
async def create_token(session: AsyncSession, actor: Scope, identity: Identity, data: Wish) -> NewToken:
    """Make a token for programs. Needs a browser's session that was confirmed within ten minutes."""
    made = await tokens.create_token(
        session, actor, identity, name=data.name, scopes=data.scopes, expires_at=data.expires_at
    )
    return NewToken(made.token, made.secret)


@delete("/api/v1/app/tokens/{token_id:uuid}", opt=in_tenant())
async def revoke_token(session: AsyncSession, actor: Scope, token_id: FromPath[UUID]) -> None:
    """Revoke a token: your own, or anybody's with tokens.manage."""
    await tokens.revoke_token(session, actor, token=token_id)


ROUTES = [token_list, create_token, revoke_token]
