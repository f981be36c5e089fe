"""`zena support`: who of the staff looks at which firm, and ending that."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from zena.cli import CommandError, ask_as, in_state, say, table
from zena.cli.output import MODE
from zena.cli.shell import require
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.kit.state import State

app = typer.Typer(help="Visits of support to firms: list them, end one.", no_args_is_help=True, add_completion=False)

_SHORT = 60


@app.command("list")
def list_visits(
    tenant: Annotated[str | None, typer.Option(help="Only to the firm with this short name.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Only those that go on now.")] = False,
    days: Annotated[float, typer.Option(min=0.01, max=3660, help="How far to look back.")] = 90,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """List who looked at which firm, from when to when, why, how it ended, and how many things they opened.

    Needs a database that runs. Exit 65 when there is no such firm.

    Example: zena support list --open
    """
    from zena.operate.tenants.visits import visits

    since = SystemClock().now() - timedelta(days=days)

    async def work(conn: "Raw") -> list[dict[str, Any]]:
        return await visits(conn, since, tenant=tenant, open_only=open_, limit=limit)

    found = ask_as(Role.OPS, work, checked=True)
    if MODE.json:
        say(found)
    elif not found:
        say(found, "no visit goes on" if open_ else f"no visit in the last {days:g} days")
    else:
        table(
            [_short(one) for one in found], ["id", "tenant", "operator", "began", "until", "state", "opened", "reason"]
        )


@app.command()
def end(
    visit: Annotated[str, typer.Argument(metavar="VISIT", help="Its id, as `zena support list` shows it.")],
) -> None:
    """End a visit now: the operator's next request sees nothing of the firm, live connections close within 2 seconds.

    Twice is once. Exit 65 when there is no such visit.

    Example: zena support end 0199a1f2-7c1e-7a52-9d6b-2f1f0c8d4b11
    """
    from zena.kit.changes import here
    from zena.operate.tenants.visits import end as run

    try:
        wanted = UUID(visit)
    except ValueError:
        raise CommandError(f"{visit!r} is no id: `zena support list` shows them", Exit.USAGE) from None

    async def work(state: "State") -> tuple[str, bool]:
        require(state.settings, Role.OPS)
        return await run(state, wanted, here())

    slug, changed = in_state(work)
    text = f"the visit to {slug} has ended" if changed else f"that visit to {slug} was over already"
    say({"visit": str(wanted), "tenant": slug, "changed": changed}, text)


def _short(one: dict[str, Any]) -> dict[str, Any]:
    reason = one["reason"] if len(one["reason"]) <= _SHORT else one["reason"][: _SHORT - 1] + "…"
    until = one["ended_at"] or one["ends_at"]
    return one | {"began": f"{one['began_at']:%Y-%m-%d %H:%M}", "until": f"{until:%H:%M}", "reason": reason}
