"""An operator with a second factor who proved it just now, and measurements for the console to show."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx

from tests.accounts.browser import as_ops
from tests.factories.firms import As, Firm
from zena.accounts.permissions import Role
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.telemetry.sketch import bin_of

PAGES: Final = (
    "/ops", "/ops?span=24h", "/ops?span=30d", "/ops/incidents", "/ops/runbook", "/ops/requests", "/ops/queries",
    "/ops/cache", "/ops/queue", "/ops/realtime", "/ops/tenants", "/ops/logs", "/ops/logs?span=1h", "/ops/backups",
    "/ops/changes", "/ops/settings", "/ops/requests?back=24h", "/ops/queries?back=24h", "/ops/cache?back=5m",
    "/ops/queue?back=24h", "/ops/realtime?back=15m",
)  # fmt: skip
_STEPPED_UP: Final = """
UPDATE user_account SET is_operator = true, totp_secret = '\\x00', totp_confirmed_at = now() - interval '1 hour'
 WHERE id = :user"""
_SERIES: Final = "INSERT INTO ops.series (metric, label) VALUES ($1, $2) ON CONFLICT DO NOTHING"


async def make_operator(state: State, firm: Firm, http: Any) -> As:
    """Make the firm's owner an operator who came in through the second factor just now and has looked at nothing."""
    forget(http)
    caller = firm.people[Role.OWNER]
    await as_ops(state, _STEPPED_UP, user=caller.user)
    await as_ops(state, "UPDATE session SET authenticated_at = now() WHERE user_id = :user", user=caller.user)
    return As(http, caller)


def forget(http: httpx.AsyncClient) -> None:
    """Have the console read everything anew: whoever looks alone finds nothing that somebody else has just read."""
    transport: Any = http._transport
    transport.app.app.state.pop("console", None)


async def series(conn: asyncpg.Connection, metric: str, label: str) -> int:
    await conn.execute(_SERIES, metric, label)
    found: int = await conn.fetchval("SELECT id FROM ops.series WHERE metric = $1 AND label = $2", metric, label)
    return found


def sketch(times: dict[float, int]) -> tuple[list[int], list[int]]:
    """Return bins and counts of durations in milliseconds with how often each came."""
    counts: dict[int, int] = {}
    for ms, many in times.items():
        counts[bin_of(ms)] = counts.get(bin_of(ms), 0) + many
    return list(counts), list(counts.values())


async def point(
    conn: asyncpg.Connection, series_id: int, minute: datetime, times: dict[float, int], *, bad: int = 0,
    process: UUID | None = None,
) -> None:  # fmt: skip
    bins, counts = sketch(times)
    await conn.execute(
        "INSERT INTO ops.point (minute, process, series_id, n, bad, slow, total, peak, bins, counts)"
        " VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9)",
        minute, process or new_id(), series_id, sum(times.values()), bad,
        sum(ms * many for ms, many in times.items()), max(times), bins, counts,
    )  # fmt: skip


def minutes_ago(number: int) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=number)
