"""API tokens: made for oneself in one firm, shown once, never more than one may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.events import TokenCreated, TokenRevoked
from zena.accounts.models import ApiToken
from zena.accounts.permissions import Permission
from zena.accounts.policy import access_token, check_fresh
from zena.accounts.queries.tokens import Token, token_of
from zena.accounts.secrecy import TOKEN_PREFIX, digest, new_secret
from zena.kit.errors import Conflict, FieldError, Forbidden, Invalid
from zena.kit.events import record
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.scope import Identity, Scope
from zena.kit.text import clean_name

LONGEST: Final = timedelta(days=366)
MOST: Final = 50
_SHOWN: Final = len(TOKEN_PREFIX) + 6


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token with its secret, which is not known again."""

    token: Token
    secret: str


async def create_token(
    session: AsyncSession, scope: Scope, identity: Identity, *, name: str, scopes: Sequence[str], expires_at: datetime
) -> NewToken:
    """Make a token for this firm. Its scopes are permissions the maker holds; the maker's role narrows them later."""
    check_fresh(identity, scope.at)
    if scope.member is None:
        raise Forbidden
    title = clean_name(name, "name", 100)
    wanted = _check_scopes(scope, scopes)
    end = _check_expiry(expires_at, scope.at)
    mine = select(func.count()).where(
        ApiToken.tenant_id == scope.tenant,
        ApiToken.member_id == scope.member,
        ApiToken.revoked_at.is_(None),
        ApiToken.expires_at > func.now(),
    )
    if int(await session.scalar(mine) or 0) >= MOST:
        raise Conflict(N_("You have %(count)s tokens. Revoke some first.", count=MOST), code="QUOTA_EXCEEDED")
    secret = new_secret(TOKEN_PREFIX)
    made = ApiToken(
        tenant_id=scope.tenant,
        id=new_id(),
        member_id=scope.member,
        name=title,
        prefix=secret[:_SHOWN],
        token_hash=digest(secret),
        scopes=wanted,
        expires_at=end,
    )
    session.add(made)
    await session.flush()
    await session.refresh(made)
    record(session, scope, TokenCreated(subject=made.id, name=title, scopes=wanted, expires_at=end))
    return NewToken(token_of(made, identity.name), secret)


async def revoke_token(session: AsyncSession, scope: Scope, *, token: UUID) -> None:
    """Make a token useless from the next request on."""
    found = await access_token(session, scope, token)
    found.revoked_at = func.now()
    record(session, scope, TokenRevoked(subject=found.id, name=found.name))


def _check_scopes(scope: Scope, scopes: Sequence[str]) -> list[str]:
    if not scopes:
        raise Invalid.field("scopes", N_("Choose at least one."), "empty")
    known = {str(permission) for permission in Permission}
    wrong = [
        FieldError(f"scopes[{place}]", "choice", N_("There is no such permission, or you do not have it."))
        for place, wanted in enumerate(scopes)
        if wanted not in known or not scope.may(wanted)
    ]
    if wrong:
        raise Invalid(wrong)
    return sorted(set(scopes))


def _check_expiry(expires_at: datetime, now: datetime) -> datetime:
    if expires_at.tzinfo is None:
        raise Invalid.field("expires_at", N_("Add a time zone, such as Z."), "format")
    if not now < expires_at <= now + LONGEST:
        raise Invalid.field("expires_at", N_("Within the next %(days)s days.", days=LONGEST.days), "range")
    return expires_at
