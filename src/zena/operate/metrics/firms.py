"""Each firm in numbers: how much there is, and what it asks of the installation. Never what stands in it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from zena.kit.db import Raw

#: More firms than these are found by name.
MOST: Final = 100

_FIRMS: Final = """
WITH load AS (SELECT s.label, sum(r.n)::bigint AS n, sum(r.bad)::bigint AS bad, sum(r.slow)::bigint AS slow
                FROM ops.series s JOIN ops.rollup r ON r.series_id = s.id AND r.resolution = 60 AND r.bucket >= $1
               WHERE s.metric = 'tenant' GROUP BY s.label)
SELECT f.*, coalesce(load.n, 0) AS requests, coalesce(load.bad, 0) AS failed,
       load.slow::float8 / nullif(load.n, 0) AS slow_share,
       v.operators AS visitors, v.until AS visited_until
  FROM gate.firms_in_numbers() f
  LEFT JOIN gate.open_visits() v ON v.tenant_id = f.id
  LEFT JOIN load ON load.label = CAST(f.id AS text)
 WHERE $2::text = '' OR position(lower($2) IN lower(f.name || ' ' || f.slug || ' ' || f.id)) > 0
 ORDER BY requests DESC, f.last_activity DESC NULLS LAST, f.slug LIMIT $3
"""


_CALLED: Final = "SELECT CAST(id AS text) AS id, name, slug FROM gate.firms_called($1)"


async def called(conn: Raw, ids: Iterable[str | UUID]) -> dict[str, dict[str, str]]:
    """Return `name` and `slug` of the firms of these ids; none of those that are gone or the installation's own."""
    return {row["id"]: dict(row) for row in await conn.fetch(_CALLED, [str(one) for one in ids])}


async def firms(conn: Raw, now: datetime, wanted: str = "", limit: int = MOST) -> list[dict[str, Any]]:
    """Return firms whose name, short name or id holds `wanted`, those with most requests of the last day first.

    `slow_share` is 0..1, None without requests; `last_activity` is when something was last changed there. `visitors`
    are names of those who look at it as support, until `visited_until`; None if nobody does.
    """
    return [dict(row) for row in await conn.fetch(_FIRMS, now - timedelta(days=1), wanted, limit)]
