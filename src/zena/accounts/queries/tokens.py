"""Keys for programs."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.models import ApiToken, Membership, UserAccount
from zena.kit.pages import Key, Value, after, order_by
from zena.kit.scope import Scope

KEYS = (Key(ApiToken.created_at, descending=True), Key(ApiToken.id, descending=True))


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An API token without its secret. `prefix` is its beginning, by which people tell tokens apart."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    member: UUID
    owner: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


async def token_page(
    session: AsyncSession, scope: Scope, *, limit: int, values: Sequence[Value] = (), everyone: bool = False
) -> list[Token]:
    """Return at most `limit + 1` usable tokens, newest first: one's own, or the whole firm's."""
    wanted = (
        select(ApiToken, UserAccount.name)
        .join(Membership, (Membership.tenant_id == ApiToken.tenant_id) & (Membership.id == ApiToken.member_id))
        .join(UserAccount, UserAccount.id == Membership.user_id)
        .where(ApiToken.tenant_id == scope.tenant, ApiToken.revoked_at.is_(None), ApiToken.expires_at > func.now())
    )
    if not everyone:
        wanted = wanted.where(ApiToken.member_id == scope.member)
    if values:
        wanted = wanted.where(after(KEYS, values))
    rows = await session.execute(wanted.order_by(*order_by(KEYS)).limit(limit + 1))
    return [token_of(row, owner) for row, owner in rows]


def token_of(row: ApiToken, owner: str) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=list(row.scopes),
        member=row.member_id,
        owner=owner,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
