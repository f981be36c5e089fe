"""`zena websocket status`: live connections by process and by firm, how they end, how soon they are told."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import ask_as, say
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.spans import ago
from zena.settings import Role

if TYPE_CHECKING:
    from datetime import datetime

    from zena.kit.db import Raw
    from zena.settings import Settings

app = typer.Typer(help="Live connections.", no_args_is_help=True, add_completion=False)

_SLUGS = "SELECT id::text, slug FROM tenant WHERE id = ANY($1::text[]::uuid[])"


@app.callback()
def websocket() -> None:
    """Live connections."""


@app.command()
def status(minutes: Annotated[int, typer.Option(min=1, max=60, help="How far back endings are counted.")] = 15) -> None:
    """Show live connections by process and firm, how they ended, how soon they are told; exit 1 on a finding.

    Processes say how they stand every ten seconds. A line that begins with `!`
    needs a person.

    Example: zena websocket status
    """
    from zena.cli.shell import connected

    found, now = connected(Role.OPS), SystemClock().now()
    shown = ask_as(Role.OPS, lambda conn: _read(conn, found, now, timedelta(minutes=minutes)))
    say(shown, "\n".join(_lines(shown, minutes)))
    raise typer.Exit(Exit.FINDING if shown["findings"] else Exit.OK)


async def _read(conn: "Raw", settings: "Settings", now: "datetime", window: timedelta) -> dict[str, Any]:
    from zena.operate.metrics.report import report

    found: dict[str, Any] = (await report(conn, now, window, ["realtime"]))["realtime"]
    slugs = {row["id"]: row["slug"] for row in await conn.fetch(_SLUGS, [one["tenant"] for one in found["firms"]])}
    for firm in found["firms"]:
        firm["slug"] = slugs.get(firm["tenant"])
    alone = [one for one in found["processes"] if one["role"] == "websocket" and one["alive"]]
    if settings.websocket_processes and not alone:
        found["findings"].append(f"none of the {settings.websocket_processes} ZENA_WEBSOCKET_PROCESSES is alive")
    return found


def _lines(found: dict[str, Any], minutes: int) -> list[str]:
    totals, told = found["totals"], found["delivery"]
    timed = (
        f"p95 {told['p95_ms']:.0f} ms, p99 {told['p99_ms']:.0f} ms, {told['slow']} over 2 s" if told["count"] else ""
    )
    now = f"{totals['connections']} connections ({totals['streams']} streams), {totals['subscriptions']} subscriptions"
    return [
        f"{now}, {totals['unauthenticated']} not signed in yet",
        *(_process(one) for one in found["processes"]),
        *(f"firm       {one['slug'] or one['tenant']}: {one['connections']}" for one in found["firms"]),
        f"last {minutes} minutes",
        f"told       {told['count']} events" + (f", {timed}" if timed else ""),
        f"opened     {_counted(found['entering'])}",
        f"ended      {_counted(found['closes'])}",
        f"refused    {_counted(found['refused'])}",
        *(f"! {finding}" for finding in found["findings"]),
    ]


def _process(one: dict[str, Any]) -> str:
    live = one["live"]
    state = "up" if one["alive"] else "replaced" if one["replaced"] else "SILENT"
    bell = "bell heard" if live["hears_the_bell"] else "no bell"
    read = (
        f"outbox read {live['tail_seconds']:g} s before, {bell}"
        if live["tail_seconds"] is not None
        else "nobody listens"
    )
    return (
        f"{one['role']:<10} {one['host']} pid {one['pid']} {state}, seen {ago(one['seen_seconds'])}:"
        f" {live['connections']} connections, {live['tenants']} firms listen, {read}"
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} x {name}" for name, count in counts.items()) or "none"
