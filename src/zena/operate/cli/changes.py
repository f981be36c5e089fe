"""`zena changes`: what was done to the installation, newest first."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, say
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback()
def changes(
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 400, help="How far to look back.")] = 168,
    kind: Annotated[str | None, typer.Option(help="deploy, migration, setting, maintenance and so on.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """List releases, migrations, settings and maintenance with who, when, and what it was before and after.

    Example: zena changes --hours 48 --kind setting
    """
    from zena.kit.changes import KINDS
    from zena.operate.changes import listed

    if kind is not None and kind not in KINDS:
        raise CommandError(f"there is no kind {kind!r}: {', '.join(KINDS)}", Exit.USAGE)
    since = SystemClock().now() - timedelta(hours=hours)

    async def work(conn: "Raw") -> list[dict[str, Any]]:
        return await listed(conn, since, kind=kind, limit=limit)

    found = ask_as(Role.OPS_READ, work)
    say(found, "\n".join(line for one in found for line in _lines(one)) or f"nothing in the last {hours:g} hours")


def _lines(one: dict[str, Any]) -> list[str]:
    before, after = one["before"] or {}, one["after"] or {}
    head = f"{one['at']:%Y-%m-%d %H:%M:%S}  {one['kind']:<11}  {one['what']}  ({one['actor']})"
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [head, *(f"    {name}: {_shown(before.get(name))} -> {_shown(after.get(name))}" for name in names)]


def _shown(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)[:200]
