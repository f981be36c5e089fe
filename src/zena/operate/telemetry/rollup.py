"""What happens to points: merged over processes for longer looks back, counted for objectives, dropped when old."""

from datetime import datetime, timedelta
from typing import Final

from zena.kit.db import Raw
from zena.operate.crossings import figures as crossings
from zena.operate.logs import groups
from zena.operate.slo.objectives import OBJECTIVES
from zena.operate.telemetry.recorder import MINUTES

#: A process may write a minute this much later, when the database was away; those minutes are merged again.
LATE: Final = timedelta(minutes=MINUTES + 1)
POINTS_KEPT: Final = timedelta(days=2)
REQUESTS_KEPT: Final = timedelta(days=8)
ROLLUPS_KEPT: Final = {5: timedelta(days=35), 60: timedelta(days=400)}
SLI_KEPT: Final = timedelta(days=35)
AHEAD: Final = 14
FIVE, HOUR = timedelta(minutes=5), timedelta(hours=1)

_MERGE: Final = """
WITH p AS (SELECT date_bin($2::interval, {at}, 'epoch') AS bucket, series_id, n, bad, slow, total, peak, bins, counts
             FROM {source} WHERE {at} >= $3 AND {at} < $4),
sums AS (SELECT bucket, series_id, sum(n) AS n, sum(bad) AS bad, sum(slow) AS slow, sum(total) AS total,
                max(peak) AS peak FROM p GROUP BY 1, 2),
each AS (SELECT bucket, series_id, bin, sum(c) AS c FROM p, unnest(bins, counts) AS u (bin, c) GROUP BY 1, 2, 3),
sketch AS (SELECT bucket, series_id, array_agg(bin ORDER BY bin) AS bins, array_agg(c::bigint ORDER BY bin) AS counts
             FROM each GROUP BY 1, 2)
INSERT INTO ops.rollup (resolution, bucket, series_id, n, bad, slow, total, peak, bins, counts)
SELECT $1, bucket, series_id, n, bad, slow, total, peak, bins, counts FROM sums JOIN sketch USING (bucket, series_id)
ON CONFLICT (resolution, series_id, bucket) DO UPDATE SET n = excluded.n, bad = excluded.bad, slow = excluded.slow,
    total = excluded.total, peak = excluded.peak, bins = excluded.bins, counts = excluded.counts
"""
_FIVE: Final = _MERGE.format(at="minute", source="ops.point")
_HOUR: Final = _MERGE.format(at="bucket", source="ops.rollup WHERE resolution = 5 AND true").replace(
    "AND true WHERE", "AND"
)
#: What people ask: the installation's questions about itself are left out. Merged into one series, for the charts.
USERS: Final = ("http.dashboard", "http.api", "http.page", "http.heavy", "http.anonymous")
TOGETHER: Final = "http.users"
_SERIES: Final = "INSERT INTO ops.series (metric, label) VALUES ($1, 'all') ON CONFLICT DO NOTHING"
_USERS: Final = _MERGE.format(
    at="bucket",
    source="""(SELECT (SELECT id FROM ops.series WHERE metric = $5 AND label = 'all') AS series_id, bucket,
                     n, bad, slow, total, peak, bins, counts FROM ops.rollup
               WHERE resolution = $1 AND series_id IN (SELECT id FROM ops.series WHERE metric = ANY($6))) AS r""",
)
_SLI: Final = """
INSERT INTO ops.sli (slo, minute, good, total)
SELECT o.slo, p.minute,
       sum(p.n - p.bad - CASE WHEN o.slow_counts THEN p.slow ELSE 0 END),
       sum(p.n - CASE WHEN o.bad_counts THEN 0 ELSE p.bad END)
  FROM unnest($1::text[], $2::text[], $3::bool[], $4::bool[]) AS o (slo, metric, bad_counts, slow_counts)
  JOIN ops.series s ON s.metric = o.metric
  JOIN ops.point p ON p.series_id = s.id AND p.minute >= $5 AND p.minute < $6
 GROUP BY o.slo, p.minute
ON CONFLICT (slo, minute) DO UPDATE SET good = excluded.good, total = excluded.total
"""
#: Whole hours, from the first one touched.
_SLI_HOUR: Final = """
INSERT INTO ops.sli_hour (slo, hour, good, total)
SELECT slo, date_bin('1 hour', minute, 'epoch'), sum(good), sum(total) FROM ops.sli
 WHERE slo = ANY($1) AND minute >= $2 AND minute < $3::timestamptz + interval '1 hour' GROUP BY 1, 2
ON CONFLICT (slo, hour) DO UPDATE SET good = excluded.good, total = excluded.total
"""


async def roll_up(conn: Raw, now: datetime) -> None:
    """Merge what is new since a little while ago. Doing it twice gives the same."""
    since = now - LATE - timedelta(minutes=5)
    await count_objectives(conn, since, now)
    await conn.execute(_FIVE, 5, FIVE, _floor(since, FIVE), now)
    await conn.execute(_HOUR, 60, HOUR, _floor(since, HOUR), now)
    await merge_users(conn, since, now)


async def merge_users(conn: Raw, since: datetime, until: datetime) -> None:
    """Merge what people asked, in the rollups from `since` on, into the one series of the charts."""
    await conn.execute(_SERIES, TOGETHER)
    for resolution, step in ((5, FIVE), (60, HOUR)):
        await conn.execute(_USERS, resolution, step, _floor(since, step), until, TOGETHER, USERS)


async def count_objectives(conn: Raw, since: datetime, until: datetime) -> None:
    """Count good and total events of each objective in the whole minutes from `since` on."""
    wanted = [(o.id, metric, o.bad_counts, o.slow_counts) for o in OBJECTIVES for metric in o.families]
    await conn.execute(_SLI, *map(list, zip(*wanted, strict=True)), _floor(since, timedelta(minutes=1)), until)
    await conn.execute(_SLI_HOUR, [o.id for o in OBJECTIVES], _floor(since, HOUR), _floor(until, HOUR))


async def make_partitions(conn: Raw) -> int:
    """Make the partitions of the days to come, as the owner; return how many were missing."""
    async with conn.transaction():
        await conn.execute("SET LOCAL ROLE zena_owner")
        made: int = await conn.fetchval("SELECT ops.make_partitions($1)", AHEAD)
    return made


async def drop_old(conn: Raw, now: datetime) -> list[str]:
    """Drop partitions past their time and delete the old ends of the rest; return the names of what was dropped."""
    dropped = [
        name
        for parent, kept in (("point", POINTS_KEPT), ("request", REQUESTS_KEPT))
        for name in await _old_partitions(conn, parent, now - kept)
    ]
    async with conn.transaction():
        await conn.execute("SET LOCAL ROLE zena_owner")
        for name in dropped:
            await conn.execute(f"DROP TABLE ops.{name}")  # allow: sql-literal - a name of our own making
    for resolution, kept in ROLLUPS_KEPT.items():
        await conn.execute("DELETE FROM ops.rollup WHERE resolution = $1 AND bucket < $2", resolution, now - kept)
    await conn.execute("DELETE FROM ops.sli WHERE minute < $1", now - SLI_KEPT)
    await conn.execute("DELETE FROM ops.sli_hour WHERE hour < $1", now - SLI_KEPT)
    await groups.drop_old(conn, now)
    await crossings.drop_old(conn, now)
    await conn.execute("DELETE FROM ops.heartbeat WHERE seen_at < $1", now - POINTS_KEPT)
    return dropped


async def _old_partitions(conn: Raw, parent: str, before: datetime) -> list[str]:
    rows = await conn.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = $1::text::regclass AND c.relname ~ '_[0-9]{8}$' ORDER BY c.relname",
        f"ops.{parent}",
    )
    return [row["relname"] for row in rows if row["relname"][-8:] < f"{before:%Y%m%d}"]


def _floor(at: datetime, step: timedelta) -> datetime:
    return at - timedelta(seconds=at.timestamp() % step.total_seconds())
