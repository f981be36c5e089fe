"""Erasing again, in a database that comes from the past, the firms that were erased since."""

from datetime import datetime
from typing import Final
from uuid import UUID

from zena.kit.changes import record as note
from zena.kit.db import Raw, dialled
from zena.operate.tenants.erased import noted
from zena.operate.tenants.erasing import PATIENCE, begin_in, erase_rows
from zena.settings import Role, Settings

#: A backup may have been made while the firm was being deleted: it holds a part of it.
_STILL: Final = """
SELECT t.id FROM tenant t LEFT JOIN ops.erasure e ON e.tenant_id = t.id
 WHERE t.id = ANY ($1::uuid[]) AND (t.id = ANY ($2::uuid[]) OR (e.tenant_id IS NOT NULL AND e.ended_at IS NULL))
 ORDER BY t.id
"""


async def erase_again(settings: Settings, since: datetime) -> list[UUID]:
    """Erase from the database of these settings, which is of the moment `since`, what was erased later; return whom.

    Nobody else may be at work in it. Files are not touched: those of the present are gone, and no others are laid back.
    """
    listed = noted(settings)
    if not listed:
        return []
    later = [tenant for tenant, at in listed.items() if at > since]
    async with dialled(settings.dsn(Role.OPS), "zena-restore", patience=PATIENCE) as conn:
        found = [row["id"] for row in await conn.fetch(_STILL, list(listed), later)]
        for tenant in found:
            await _erase(conn, tenant)
    return found


async def _erase(conn: Raw, tenant: UUID) -> None:
    async with conn.transaction():
        await begin_in(conn, tenant)
        await note(conn, "remedy", "tenant deleted again after a restore", after={"tenant": tenant})
    await erase_rows(conn, tenant)
