"""Making the record of a firm anew after its ids were replaced: every link is computed again."""

import hashlib
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.models import AuditEntry, TenantHead
from zena.accounts.queries.audit import START, batch, canonical
from zena.kit.events import audit_digest

_ENTRIES: Final = AuditEntry.__table__
_LINK: Final = (
    update(_ENTRIES)  # type: ignore[arg-type]  # the table of a mapped class
    .where(_ENTRIES.c.tenant_id == bindparam("tenant"), _ENTRIES.c.position == bindparam("at_position"))
    .values(digest=bindparam("made"), prev_hash=bindparam("before_it"), hash=bindparam("link"))
)


async def restart_chain(session: AsyncSession, tenant: UUID) -> None:
    """Compute digests, links and head of a firm's record from the rows as they stand.

    For rows that were just brought in under new ids; the role must be allowed to change entries, as the app's is not.
    """
    # allow: session-get - the head of the firm that is being brought in
    head = await session.get_one(TenantHead, tenant, populate_existing=True)
    link, position = START, 0
    while rows := await batch(session, tenant, position, head.audit_position):
        made = []
        for row in rows:
            digest = bytes.fromhex(audit_digest(str(tenant), canonical(row)))
            before, link = link, hashlib.sha256(link + digest).digest()
            made.append(
                {"tenant": tenant, "at_position": row.position, "made": digest, "before_it": before, "link": link}
            )
        await session.execute(_LINK, made)
        position = rows[-1].position
    head.audit_hash = link
    await session.flush()
