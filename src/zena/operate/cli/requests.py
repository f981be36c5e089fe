"""`zena requests`: which requests were slow, failed or repeated themselves, and what each did."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from zena.cli import CommandError, ask_as, say, table
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.settings import Role

app = typer.Typer(
    help="Requests that were kept: slow, failed, refused, repetitive.", no_args_is_help=True, add_completion=False
)


@app.command()
def slow(
    route: Annotated[str | None, typer.Option(help="One route template, such as /api/v1/app/tasks.")] = None,
    kept_for: Annotated[
        str | None, typer.Option("--for", help="slow, failed, repeated, denied, statement or sample.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=192, help="How far to look back.")] = 24,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
) -> None:
    """List the slowest kept requests, slowest first.

    Example: zena requests slow --for failed --hours 1
    """
    from zena.operate.metrics.requests import slowest

    since = SystemClock().now() - timedelta(hours=hours)
    found = ask_as(Role.OPS_READ, lambda conn: slowest(conn, since, route=route, kept_for=kept_for, limit=limit))
    rows = [row | {"queries": row["facts"]["queries"], "db_ms": row["facts"]["database_ms"]} for row in found]
    table(rows, ["at", "ms", "status", "method", "route", "kept_for", "queries", "db_ms", "tenant", "request_id"])


@app.command()
def show(
    request_id: Annotated[str, typer.Argument(help="From X-Request-Id, a log line, or the list.")],
) -> None:
    """Show one kept request with its statements, how often each was sent and from where.

    Example: zena requests show 01a2152a659476c0999d4a77724aa5dc
    """
    from zena.operate.metrics.requests import request_called

    found = ask_as(Role.OPS_READ, lambda conn: request_called(conn, request_id))
    if found is None:
        raise CommandError(
            f"request {request_id} was not kept: only slow, failed, refused, repetitive and sampled ones are", Exit.DATA
        )
    say(found, _text(found))


def _text(found: dict[str, Any]) -> str:
    facts = found["facts"]
    lines = [
        f"{found['method']} {found['route']} -> {found['status']}, {found['ms']} ms, {found['at']:%Y-%m-%d %H:%M:%S}",
        f"kept because: {found['kept_for']}; tenant {found['tenant'] or '-'}; release {found['release']}",
        f"{facts['queries']} statements, {facts['database_ms']} ms; waited {facts['pool_wait_ms']} ms for a connection",
        *(f"cache {outcome} x{times}" for outcome, times in facts["cache"].items()),
    ]
    for one in facts["statements"]:
        mark = "  <- N+1" if one["times"] >= 10 else ""  # noqa: PLR2004 - kit.tally.REPEATED, not imported by a command
        lines.append(f"{one['times']:>5} x {one['ms']:>9} ms  {one['caller'] or ''}{mark}")
        lines.append(f"        {(one.get('text') or one['fingerprint'])[:200]}")
    return "\n".join(lines)
