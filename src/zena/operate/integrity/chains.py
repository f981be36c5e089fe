"""The audit chain of every firm, from its first entry to its head."""

from uuid import UUID

from zena.accounts.facade import verify_chain
from zena.kit.db import Database
from zena.kit.uow import enter_tenant
from zena.operate.integrity.finding import Finding


async def broken_chain(db: Database, tenant: UUID) -> list[Finding]:
    """Return whether the tenant's audit chain is broken, and where."""
    async with db.sessions() as session:
        await enter_tenant(session, tenant)
        found = await verify_chain(session, tenant)
        await session.rollback()
    if found.intact:
        return []
    told = f"entry {found.first_bad}: {found.reason}"
    advice = "nothing repairs a record of what was done: keep the evidence, compare with a backup"
    return [Finding("audit chain", "audit_entry", 1, [told], tenant, advice=advice)]
