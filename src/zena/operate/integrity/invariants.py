"""What the slices promise of their rows, tenant by tenant, and their repairs."""

from typing import Final
from uuid import UUID

from zena.kit.checks import Check, Repair
from zena.kit.db import Raw
from zena.operate.integrity.finding import NAMED, Finding

_TENANTS: Final = "SELECT id FROM tenant ORDER BY id"


async def tenants(conn: Raw) -> list[UUID]:
    """Return every firm, suspended ones too."""
    return [row["id"] for row in await conn.fetch(_TENANTS)]


async def broken(conn: Raw, check: Check, tenant: UUID) -> list[Finding]:
    """Return whether the tenant's rows break this promise."""
    rows = await conn.fetch(
        "SELECT count(*) OVER () AS n, q.subject::text AS subject"  # noqa: S608 - fixed texts that the slices registered
        f" FROM ({check.sql}) AS q (subject) GROUP BY q.subject ORDER BY q.subject LIMIT {NAMED}",
        tenant,
    )
    if not rows:
        return []
    sample = [row["subject"] for row in rows]
    repair = check.repair.name if check.repair else None
    return [Finding("invariant", check.name, rows[0]["n"], sample, tenant, repair)]


async def repair_tenant(conn: Raw, repair: Repair, tenant: UUID, run_id: UUID) -> None:
    """Copy the tenant's rows of the tables away, then run the repair. Needs an open transaction."""
    await conn.execute(repair.lock, tenant)
    for table in repair.tables:
        await conn.execute(
            "INSERT INTO ops.integrity_undo (run_id, relation, repair, tenant_id, row_before)"  # noqa: S608 - names of the registry
            f" SELECT $1, $2, $3, t.tenant_id, to_jsonb(t) FROM {table} t WHERE t.tenant_id = $4",
            run_id,
            table,
            repair.name,
            tenant,
        )
    for statement in repair.statements:
        await conn.execute(statement, tenant)
