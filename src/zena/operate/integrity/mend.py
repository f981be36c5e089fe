"""Repairs, all in one transaction: either everything was copied away and repaired, or nothing was touched."""

from typing import Final
from uuid import UUID

from zena.kit.changes import record
from zena.kit.checks import Repair
from zena.kit.db import Raw
from zena.operate.integrity.finding import Finding
from zena.operate.integrity.invariants import repair_tenant
from zena.operate.integrity.look import Eyes
from zena.operate.integrity.orphans import foreign_keys, repair_orphans

_ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('zena integrity repair', 0))"


class Busy(Exception):  # noqa: N818 - says what is
    """Somebody else repairs at this moment."""


async def mend(seen: Eyes, findings: list[Finding], run_id: UUID, actor: str) -> list[str]:
    """Repair what can be; return what was done. Raises Busy, and asyncpg.LockNotAvailableError.

    The rows as they were lie in ops.integrity_undo under `run_id`.
    """
    conn = seen.conn
    async with conn.transaction():
        if not await conn.fetchval(_ONE_AT_A_TIME):
            raise Busy
        done = await _orphans(conn, findings, run_id)
        done += await _tenants(seen, findings, run_id)
        if done:
            await record(conn, "remedy", "integrity repair", actor=actor, after={"run": run_id, "done": done})
    return done


async def _orphans(conn: Raw, findings: list[Finding], run_id: UUID) -> list[str]:
    wanted = {finding.subject for finding in findings if finding.check == "orphans" and finding.repair}
    keys = [key for key in await foreign_keys(conn) if f"{key.child_name}: {key.name}" in wanted]
    # Rows that go first, references that are cleared after: the same row may have lost two parents.
    done = []
    for key in sorted(keys, key=lambda key: key.blanked is not None):
        count = await repair_orphans(conn, key, run_id)
        done.append(f"{key.repair} of {count} in {key.child_name} ({key.name})")
    return done


async def _tenants(seen: Eyes, findings: list[Finding], run_id: UUID) -> list[str]:
    repairs: dict[str, Repair] = {one.repair.name: one.repair for one in seen.state.registry.checks if one.repair}
    wanted = sorted({(f.tenant, f.repair) for f in findings if f.check == "invariant" and f.tenant and f.repair})
    for tenant, name in wanted:
        await repair_tenant(seen.conn, repairs[name], tenant, run_id)
    return [f"{name} of firm {tenant}" for tenant, name in wanted]
