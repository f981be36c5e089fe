"""A session in somebody's name for an operator who follows one request as that person sees it.

It is made and removed as zena_ops; its value never leaves the process. Whatever kills the process, it ends by itself.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from zena.accounts.secrecy import digest, new_form_secret, new_secret
from zena.kit.csrf import form_token
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.ids import new_id

_PERSON: Final = "SELECT id FROM user_account WHERE email = $1"
_FIRM: Final = "SELECT id FROM tenant WHERE slug = $1"
#: Where signing in leads: the firm somebody acted in last, else their default, of those that are served.
_DEFAULT: Final = """
SELECT t.id FROM membership m JOIN tenant t ON t.id = m.tenant_id
 WHERE m.user_id = $1 AND m.ended_at IS NULL AND t.status IN ('active', 'trial')
 ORDER BY t.id = (SELECT s.active_tenant FROM session s WHERE s.user_id = $1 AND s.active_tenant IS NOT NULL
                   ORDER BY s.last_seen_at DESC LIMIT 1) DESC NULLS LAST, m.is_default DESC, m.joined_at, t.name LIMIT 1
"""
_OPEN: Final = """
INSERT INTO session (id, user_id, token_hash, form_secret, active_tenant, expires_at, idle_seconds, user_agent)
VALUES ($1, $2, $3, $4, $5, now() + interval '3 minutes', 180, 'an operator, with zena trace')
"""
_CLOSE: Final = "DELETE FROM session WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Borrowed:
    """Who is followed. `tenant` is the firm they act in, None without one; `cookie` and `form` go with the request."""

    session: UUID
    user: UUID
    tenant: UUID | None
    cookie: str
    form: str


async def borrow_session(conn: Raw, *, email: str, tenant: str | None) -> Borrowed:
    """Open a session for this (folded) address in a firm, by its short name; their default firm where none is named.

    A firm they do not belong to is taken all the same: the request is then refused as theirs would be. Raises NotFound
    for an unknown address or firm.
    """
    user = await conn.fetchval(_PERSON, email)
    if user is None:
        raise NotFound(f"nobody here has the address {email!r}")
    firm = await conn.fetchval(_FIRM, tenant) if tenant else await conn.fetchval(_DEFAULT, user)
    if firm is None and tenant:
        raise NotFound(f"there is no firm {tenant!r}: `zena tenant list` shows them")
    cookie, secret = new_secret(), new_form_secret()
    made = Borrowed(new_id(), user, firm, cookie, form_token(secret))
    await conn.execute(_OPEN, made.session, user, digest(cookie), secret, firm)
    return made


async def give_back(conn: Raw, borrowed: Borrowed) -> None:
    await conn.execute(_CLOSE, borrowed.session)
