"""Visits of support over all firms, for commands."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from zena.accounts.facade import end_visit, installation
from zena.kit.changes import record as note
from zena.kit.db import Raw, raw
from zena.kit.errors import NotFound
from zena.kit.state import State
from zena.kit.uow import unit_of_work
from zena.operate.sessions import operations

_LISTED: Final = """
SELECT v.id, t.slug AS tenant, v.operator_name AS operator, u.email, v.began_at, v.ends_at, v.ended_at,
       coalesce(v.ended_how, CASE WHEN v.ends_at <= now() THEN 'limit' WHEN o.id IS NULL THEN 'access' ELSE 'open' END)
         AS state,
       (SELECT count(*) FROM audit_entry a WHERE a.tenant_id = v.tenant_id AND a.subject_id = v.id
           AND a.action = 'access.support_looked') AS opened,
       v.reason
  FROM support_visit v JOIN tenant t ON t.id = v.tenant_id
  LEFT JOIN user_account u ON u.id = v.operator_id
  LEFT JOIN LATERAL (SELECT found.id FROM session s CROSS JOIN LATERAL gate.open_visit(s.id) found
                      WHERE s.user_id = v.operator_id AND found.tenant_id = v.tenant_id AND found.id = v.id LIMIT 1) o
    ON v.ended_at IS NULL
 WHERE ($1::text IS NULL OR t.slug = $1) AND v.began_at >= $2
   AND (NOT $3::boolean OR o.id IS NOT NULL)
 ORDER BY v.began_at DESC, v.id LIMIT $4
"""
_KNOWN: Final = "SELECT true FROM tenant WHERE slug = $1"
_FIRM: Final = text("SELECT t.id, t.slug FROM support_visit v JOIN tenant t ON t.id = v.tenant_id WHERE v.id = :visit")


async def visits(
    conn: Raw, since: datetime, *, tenant: str | None, open_only: bool, limit: int
) -> list[dict[str, Any]]:
    """Return visits, newest first. `state` is open, or how it ended: left, firm, operations, limit, access.

    NotFound for a short name that no firm has.
    """
    if tenant is not None and await conn.fetchval(_KNOWN, tenant) is None:
        raise NotFound(f"there is no firm {tenant!r}: `zena tenant list` shows them")
    return [dict(row) for row in await conn.fetch(_LISTED, tenant, since, open_only, limit)]


async def end(state: State, visit: UUID, actor: str) -> tuple[str, bool]:
    """End a visit; return its firm's short name and whether it was open. NotFound for an id that is none."""
    async with operations(state) as db, unit_of_work(db) as session:
        firm = (await session.execute(_FIRM, {"visit": visit})).one_or_none()
        if firm is None:
            raise NotFound(f"there is no visit {visit}: `zena support list` shows them")
        scope = installation(firm.id, state.clock.now())
        changed = await end_visit(session, scope, visit=visit, how="operations")
        if changed:
            after = {"tenant": firm.id, "visit": visit}
            await note(await raw(session), "remedy", "support end", actor=actor, after=after)
    return firm.slug, changed
