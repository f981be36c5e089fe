"""`zena status`: is it well? One screen: processes, database, speed, errors, queue, cache, promises."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import ask_as, say
from zena.kit.clock import SystemClock
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback()
def status(minutes: Annotated[int, typer.Option(min=1, max=60, help="How far to look back.")] = 15) -> None:
    """Show on one screen whether the installation is well.

    Example: zena status --minutes 5
    """
    now = SystemClock().now()
    found = ask_as(Role.OPS, lambda conn: _read(conn, now, timedelta(minutes=minutes)))
    say(found, "\n".join(_lines(found)))


async def _read(conn: "Raw", now: datetime, window: timedelta) -> dict[str, Any]:
    from zena.operate.metrics.report import report
    from zena.operate.telemetry.rollup import count_objectives

    await count_objectives(conn, now - window, now)
    server = await conn.fetchrow(
        "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS bytes,"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,"
        " current_setting('max_connections')::int AS most"
    )
    return await report(conn, now, window) | {"server": dict(server)}


def _lines(found: dict[str, Any]) -> list[str]:
    http, database, cache, queue = (found[name] for name in ("http", "database", "cache", "queue"))
    waiting = sum(row["jobs"] for row in queue["waiting"] if row["status"] == "queued")
    held = sum(row["jobs"] for row in queue["waiting"] if row["status"] == "failed")
    return [
        f"last {found['window']['seconds'] / 60:.0f} minutes",
        *(_process(one) for one in found["processes"]),
        _server(found["server"]),
        f"requests   {_timed(http)}, {http['bad']} failed, {http['slow']} slow",
        *(f"  {name:<10} {_timed(figures)}" for name, figures in http["families"].items()),
        f"statements {_timed(database)}, {database['slow']} slow",
        f"cache      {_share(cache['hit_rate'])} of {cache['lookups']} look-ups",
        f"queue      {waiting} waiting, {held} held; {queue['count']} run, {queue['bad']} failed",
        *(f"slo        {one['id']}: {one['state']}" for one in found["slo"] if one["state"] not in {"ok", "no_data"}),
    ]


def _server(server: dict[str, Any]) -> str:
    connections = f"{server['connections']} of {server['most']} connections"
    return f"database   PostgreSQL {server['version']}, {server['bytes'] / 1e6:.0f} MB, {connections}"


def _process(one: dict[str, Any]) -> str:
    state = "up since" if one["alive"] else "SILENT, started"
    where, started = f"{one['host']} pid {one['pid']}", f"{one['started_at']:%Y-%m-%d %H:%M:%S}"
    return f"{one['role']:<10} {where} {state} {started}, {one['release']}"


def _timed(figures: dict[str, Any]) -> str:
    if not figures["count"]:
        return "none"
    times = ", ".join(f"{name} {figures[f'{name}_ms']:.1f} ms" for name in ("p50", "p95", "p99"))
    return f"{figures['count']}, {times}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
