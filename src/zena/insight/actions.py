"""Taking the day's snapshot of a firm's figures and of its projects' health."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from zena.insight import families, queries
from zena.insight.health import health_of
from zena.insight.models import KpiSnapshot, ProjectHealthSnapshot
from zena.kit.db import raw
from zena.kit.scope import Scope

#: How long daily history is kept: enough to compare two years.
KEPT = timedelta(days=800)

_FIGURES_KEY = ("tenant_id", "day")
_HEALTH_KEY = ("tenant_id", "project_id", "day")


async def take_snapshot(session: AsyncSession, scope: Scope) -> None:
    """Write the present figures as those of the tenant's day; a later snapshot of that day takes their place.

    Derived from what events have told already, so it records none of its own.
    """
    conn = await raw(session)
    stamp = {"tenant_id": scope.tenant, "day": scope.today, "taken_at": scope.at}
    figures = msgspec.to_builtins(await families.dashboard(conn, scope))
    await _keep(session, KpiSnapshot, _FIGURES_KEY, [stamp | {"figures": figures}])
    rows = []
    for row in await queries.standings(conn, scope):
        standing = families.standing_of(row)
        rows.append(stamp | {"project_id": row["id"], "overall": health_of(standing).overall} | asdict(standing))
    await _keep(session, ProjectHealthSnapshot, _HEALTH_KEY, rows)


async def forget_old_snapshots(session: AsyncSession, scope: Scope) -> None:
    """Delete the history beyond what is kept."""
    for table in (KpiSnapshot, ProjectHealthSnapshot):
        await session.execute(delete(table).where(table.tenant_id == scope.tenant, table.day < scope.today - KEPT))


async def _keep(session: AsyncSession, table: type[Any], key: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = insert(table).values(list(rows))
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    await session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))
