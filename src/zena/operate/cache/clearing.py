"""Clearing: the next look computes afresh. Nothing is deleted or scanned, and nobody else's keys are touched."""

from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from zena.insight.facade import CLEARED
from zena.kit.db import Raw

_FIRMS: Final = 50
_LOWEST: Final = UUID(int=0)
_PATIENCE: Final = "SET lock_timeout = '5s'"

# A few firms at a time: whoever writes in one of them waits for this statement.
_CLEAR: Final = """
WITH firms AS (
  SELECT tenant_id FROM tenant_head WHERE tenant_id > $1 AND ($2::uuid IS NULL OR tenant_id = $2)
  ORDER BY tenant_id LIMIT $5 FOR UPDATE)
UPDATE tenant_head AS head SET versions = head.versions || (
  SELECT jsonb_object_agg($4 || family, coalesce((head.versions ->> ($4 || family))::bigint, 0) + 1)
    FROM unnest($3::text[]) AS family)
FROM firms WHERE head.tenant_id = firms.tenant_id RETURNING head.tenant_id
"""


async def clear(conn: Raw, *, tenant: UUID | None, families: Sequence[str]) -> AsyncIterator[int]:
    """Let what is kept of these families never be read again, for one firm or all; yield how many firms so far.

    A firm's row that is locked for five seconds raises LockNotAvailableError; the firms before it are done.
    """
    await conn.execute(_PATIENCE)
    last, done = _LOWEST, 0
    while rows := await conn.fetch(_CLEAR, last, tenant, list(families), CLEARED, _FIRMS):
        last, done = max(row["tenant_id"] for row in rows), done + len(rows)
        yield done
