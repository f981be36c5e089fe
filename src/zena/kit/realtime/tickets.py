"""One-time tickets: a browser cannot send a token with a socket, so it fetches a ticket first and shows that."""

import hashlib
import secrets
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.scope import Scope

#: Seconds a ticket is good for: long enough to open a socket, too short to be worth stealing.
LIFETIME: Final = 30

_ISSUE = text("""
INSERT INTO ws_ticket (tenant_id, hash, user_id, session_id, token_id, expires_at)
VALUES (:tenant, :hash, :user, :session, :token, now() + make_interval(secs => :seconds))
""")


async def issue(session: AsyncSession, scope: Scope) -> str:
    """Return a ticket that opens one socket in the name of the scope's session or token. Only its hash is stored."""
    if scope.user is None or scope.identity is None:
        raise ValueError("tickets are for people")
    ticket = secrets.token_urlsafe(32)
    values = {
        "tenant": scope.tenant,
        "hash": ticket_digest(ticket),
        "user": scope.user,
        "session": scope.identity.session,
        "token": scope.identity.token,
        "seconds": LIFETIME,
    }
    await session.execute(_ISSUE, values)
    return ticket


def ticket_digest(ticket: str) -> bytes:
    """Return what is stored and looked for instead of the ticket."""
    return hashlib.sha256(ticket.encode()).digest()
