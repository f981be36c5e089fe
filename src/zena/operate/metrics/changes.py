"""What was changed about the installation: deploys, migrations, settings, remedies."""

from datetime import datetime
from typing import Any, Final

from zena.kit.db import Raw

_SINCE: Final = (
    "SELECT at, kind, what, actor, before, after FROM ops.change WHERE at >= $1 ORDER BY at DESC, id DESC LIMIT $2"
)


async def changes(conn: Raw, since: datetime, limit: int = 200) -> list[dict[str, Any]]:
    """Return the changes since an instant, the latest first."""
    return [dict(row) for row in await conn.fetch(_SINCE, since, limit)]
