"""What stands in the database, seen past every policy."""

import asyncpg

from tests.factories import Firm
from zena.kit.embedded import ClusterUrls

_TABLES = (
    "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
)


async def fenced_tables(urls: ClusterUrls) -> set[str]:
    """Return the tables that belong to firms."""
    ops = await asyncpg.connect(urls.ops)
    try:
        return {row["table_name"] for row in await ops.fetch(_TABLES)}
    finally:
        await ops.close()


async def fingerprint(urls: ClusterUrls, firm: Firm) -> dict[str, str]:
    """Return one hash per table of all rows a firm has, so that any change shows where it happened."""
    ops = await asyncpg.connect(urls.ops)
    try:
        names = [row["table_name"] for row in await ops.fetch(_TABLES)]
        each = [
            f"SELECT '{name}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"  # noqa: S608 - a name from the catalog
            f" FROM {name} t WHERE tenant_id = $1"
            for name in names
        ]
        return dict(await ops.fetch(" UNION ALL ".join(each), firm.tenant))
    finally:
        await ops.close()
