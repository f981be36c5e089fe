"""How the queue stands: what waits and how long it will take, who works, when schedules ran."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from croniter import croniter

from zena.kit.db import Raw
from zena.kit.queue.crons import slot_of
from zena.operate.metrics.read import read_series

#: Waiting longer than this is late, seconds; more waiting jobs than this are a backlog.
LATE: Final = 60
BACKLOG: Final = 1000
#: A schedule whose last time passed this long ago and was not started has been missed.
_MISSED: Final = timedelta(seconds=90)

_KINDS: Final = """
SELECT entrypoint AS kind,
       count(*) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS waiting,
       count(*) FILTER (WHERE status = 'queued' AND execute_after > now()) AS later,
       count(*) FILTER (WHERE status = 'picked') AS running,
       count(*) FILTER (WHERE status = 'failed') AS held,
       extract(epoch FROM now() - min(greatest(created, execute_after))
         FILTER (WHERE status = 'queued' AND execute_after <= now()))::float8 AS oldest
  FROM queue.pgqueuer GROUP BY 1 ORDER BY 1
"""
_PAUSED: Final = "SELECT entrypoint AS kind, reason, at FROM queue.paused ORDER BY 1"
_WORKERS: Final = """
SELECT host, pid, release, started_at, seen_at, extract(epoch FROM now() - seen_at)::float8 AS silent_for,
       now() - seen_at < interval '35 seconds' AS alive, process,
       EXISTS (SELECT FROM ops.heartbeat AS after WHERE after.role = 'worker' AND after.host = worker.host
                  AND after.started_at > worker.seen_at) AS replaced
  FROM ops.heartbeat AS worker
 WHERE role = 'worker' AND seen_at > now() - interval '10 minutes' AND NOT facts ? 'ended' ORDER BY started_at, process
"""
_CONNECTIONS: Final = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'zena-queue'"
_SCHEDULES: Final = """
SELECT DISTINCT ON (entrypoint) entrypoint AS name, expression AS schedule, cron.slot AS last
  FROM queue.pgqueuer_schedules LEFT JOIN queue.cron ON cron.name = entrypoint ORDER BY entrypoint, heartbeat DESC
"""
_ENDED: Final = """
SELECT DISTINCT ON (entrypoint) entrypoint AS name, status::text, created FROM queue.pgqueuer_log
 WHERE entrypoint = ANY($1) AND status IN ('successful', 'failed', 'exception') ORDER BY entrypoint, id DESC
"""


async def workers(conn: Raw) -> list[dict[str, Any]]:
    """Return the workers that gave a sign of life in the last ten minutes and did not end in order.

    `replaced` tells that another began on the same machine after the last sign.
    """
    return [dict(row) for row in await conn.fetch(_WORKERS)]


async def standing(conn: Raw, now: datetime, *, window: timedelta, slots: int) -> dict[str, Any]:
    """Return the queue by kind with what was measured in the window, and what needs a person.

    `slots` is how many jobs one worker runs at once; `clear` the seconds until what waits is done if nothing new
    came, None if not known.
    """
    crew = await workers(conn)
    alive = sum(worker["alive"] for worker in crew)
    silent = sum(not worker["alive"] and not worker["replaced"] for worker in crew)
    rows = {row["kind"]: dict(row) for row in await conn.fetch(_KINDS)}
    paused = {row["kind"]: dict(row) for row in await conn.fetch(_PAUSED)}
    jobs = await read_series(conn, ["job"], now - window, now + timedelta(minutes=1))
    measured = {one.label: one for one in jobs}
    nothing = {"waiting": 0, "later": 0, "running": 0, "held": 0, "oldest": None}
    kinds = []
    for kind in sorted({*rows, *paused, *measured}):
        row = rows.get(kind, {"kind": kind, **nothing})
        one = measured.get(kind)
        kinds.append(
            row
            | {"runs": one.n if one else 0, "failures": one.bad if one else 0, "mean_ms": one.mean if one else None}
            | {"clear": _clear(row["waiting"], one.mean if one else None, alive * slots)}
            | {"paused": paused[kind]["reason"] if kind in paused else None}
        )
    found = {
        "at": now,
        "window_seconds": window.total_seconds(),
        "workers": {"alive": alive, "silent": silent, "connections": await conn.fetchval(_CONNECTIONS)},
        "totals": {name: sum(row[name] for row in kinds) for name in ("waiting", "later", "running", "held", "runs")},
        "kinds": kinds,
        "paused": list(paused.values()),
    }
    return found | {"findings": list(_findings(found))}


async def schedules(conn: Raw, now: datetime, *, only: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return each schedule with its last and next time, how the last run ended, and whether a time was missed."""
    rows = [dict(row) for row in await conn.fetch(_SCHEDULES) if only is None or row["name"] in only]
    ended = {row["name"]: row["status"] for row in await conn.fetch(_ENDED, [row["name"] for row in rows])}
    for row in rows:
        due = slot_of(row["schedule"], now.astimezone(UTC))
        row["next"] = croniter(row["schedule"], now.astimezone(UTC)).get_next(datetime)
        row["ended"] = ended.get(row["name"])
        row["missed"] = row["last"] is not None and row["last"] < due and now - due > _MISSED
    return rows


def _clear(waiting: int, mean_ms: float | None, slots: int) -> float | None:
    """Return the seconds until so many jobs are done by so many at once; None if nobody works or nothing is known."""
    if not waiting:
        return 0.0
    return None if mean_ms is None or not slots else round(waiting * mean_ms / 1000 / slots, 1)


def _findings(found: dict[str, Any]) -> Iterator[str]:
    crew, totals = found["workers"], found["totals"]
    if not crew["alive"]:
        open_ones = f"; {crew['connections']} connections of workers are open" if crew["connections"] else ""
        yield f"no worker gives a sign of life{open_ones}: start `zena serve`, or `zena queue work`"
    if crew["silent"]:
        yield f"workers that fell silent and were not replaced: {crew['silent']}; `zena queue workers` lists them"
    if totals["waiting"] > BACKLOG:
        yield f"{totals['waiting']} jobs wait"
    for row in found["kinds"]:
        if row["paused"] is not None:
            yield f"{row['kind']} is paused ({row['paused']}), {row['waiting']} wait: `zena queue resume {row['kind']}`"
        elif (row["oldest"] or 0) > LATE:
            yield f"the oldest {row['kind']} waits for {row['oldest']:.0f} s"
        if row["held"]:
            yield f"{row['held']} of {row['kind']} are held: `zena queue failed --kind {row['kind']}`"
