"""`zena db`: what the database does, how it finds rows, and whether they are whole."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, say, table
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.explain import explain
from zena.operate.cli.integrity import check_integrity
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw

app = typer.Typer(help="What the database does.", no_args_is_help=True)
app.command("check-integrity")(check_integrity)
app.command("explain")(explain)


@app.command("indexes")
def list_indexes(name: Annotated[str, typer.Argument(metavar="TABLE", help="Such as task, or ops.point.")]) -> None:
    """List a table's indexes: definition, size, how often each was used since statistics began, whether it is valid.

    Example: zena db indexes task
    """
    from zena.operate.database.indexes import indexes_of, tables_like

    async def read(conn: "Raw") -> tuple[list[dict[str, Any]] | None, list[str]]:
        return await indexes_of(conn, name), await tables_like(conn, name)

    found, near = ask_as(Role.OPS_READ, read)
    if found is None:
        hint = f"; there is {', '.join(near)}" if near else ""
        raise CommandError(f"there is no table {name!r}{hint}", Exit.DATA)
    table(found, ["index", "size", "scans", "last_used", "valid", "definition"])


@app.command()
def activity(
    everything: Annotated[bool, typer.Option("--all", help="Also idle connections and background workers.")] = False,
) -> None:
    """Show who does what right now, for how long, and who waits for whom; values in statements read ?.

    Example: zena db activity --all
    """
    from zena.operate.database.activity import sessions

    found = ask_as(Role.OPS_READ, lambda conn: sessions(conn, everything=everything))
    if not found:
        say([], "nothing runs; --all shows idle connections and background workers")
        return
    table(found, ["pid", "who", "state", "age", "in_transaction", "waits", "waits_for", "statement"])


@app.command()
def slow(
    hours: Annotated[float, typer.Option(min=0.05, max=24 * 400, help="How far to look back.")] = 1,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 15,
) -> None:
    """List the statements that cost most in total, with where in the code each was first sent.

    Example: zena db slow --hours 24
    """
    from zena.operate.metrics.statements import costliest

    now = SystemClock().now()
    found = ask_as(Role.OPS_READ, lambda conn: costliest(conn, now, timedelta(hours=hours), limit))
    if not found:
        say([], f"no statement was measured within {hours:g} h")
        return
    columns = ["fingerprint", "total_ms", "count", "mean_ms", "p95_ms", "max_ms", "slow", "caller", "text"]
    table([row | {"text": _short(row["text"])} for row in found], columns)


def _short(text: str | None) -> str:
    from zena.cli.output import MODE

    longest = 100
    return text or "-" if MODE.json or not text or len(text) <= longest else f"{text[:longest]}..."
