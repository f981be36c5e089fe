"""`zena incident`: what was found to be wrong, why, and what people say to it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, say, table
from zena.kit.changes import here
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.spans import ago
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw

app = typer.Typer(
    help="Incidents: what was found to be wrong, why, and how it ended.", no_args_is_help=True, add_completion=False
)
_LONGEST = 2000
Number = Annotated[int, typer.Argument(min=1, help="The incident's number.")]


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    days: Annotated[float, typer.Option(min=0.01, max=400, help="How far to look back for closed ones.")] = 7,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """List open incidents, the newest first; exit 1 if any is open.

    Example: zena incident list --all --days 30
    """
    from zena.operate.incidents.listing import listed

    now = SystemClock().now()
    since = now - timedelta(days=days)
    found = ask_as(Role.OPS, lambda conn: listed(conn, closed=everything, since=since, limit=limit))
    if not found:
        say([], "no incident is open" if not everything else "no incident is known")
        return
    rows = [row | {"age": ago((now - row["opened_at"]).total_seconds())} for row in found]
    table(rows, ["id", "symptom", "scope", "severity", "state", "cause", "age", "says"])
    raise typer.Exit(Exit.FINDING if any(row["closed_at"] is None for row in found) else Exit.OK)


@app.command()
def show(number: Number) -> None:
    """Show an incident with its causes, the evidence, the timeline and what to plan against it.

    Example: zena incident show 12
    """
    from zena.operate.incidents.report import markdown

    found = _found(number)
    plans = _plans(found)
    say(found | {"plans": plans}, "\n".join([markdown(found).rstrip(), *(f"\nTo mend it: {one}" for one in plans)]))


def _plans(found: dict[str, Any]) -> list[str]:
    """Return the commands that plan a remedy for the likeliest cause, while the incident is open."""
    from zena.operate.remedies.catalogue import proposed

    if found["closed_at"] is not None or found["cause"] is None:
        return []
    return [
        f"zena runbook plan {one.id} --incident {found['id']}" for one in proposed(found["symptom"], found["cause"])
    ]


@app.command()
def report(number: Number) -> None:
    """Print the report of an incident as Markdown, times computed.

    Example: zena incident report 12 > incident-12.md
    """
    from zena.operate.incidents.report import markdown

    text = markdown(_found(number))
    say({"markdown": text}, text.rstrip())


@app.command()
def ack(number: Number) -> None:
    """Say that you look after it: nobody else is called for an hour. A second time renews that.

    Example: zena incident ack 12
    """
    from zena.operate.incidents.actions import acknowledge

    now, who = SystemClock().now(), here()
    _do(number, lambda conn: acknowledge(conn, number, who, now))
    say(
        {"id": number, "acknowledged_by": who},
        f"incident {number} is yours, {who}; nobody else is called for an hour, unless it becomes worse",
    )


@app.command()
def note(
    number: Number, text: Annotated[str, typer.Argument(help="Your words; they stay in the timeline for good.")]
) -> None:
    """Add your words to the timeline, which nobody can change afterwards.

    Example: zena incident note 12 "the index was dropped by the import script"
    """
    from zena.operate.incidents.actions import note as note_words

    words = _words(text)
    now, who = SystemClock().now(), here()
    _do(number, lambda conn: note_words(conn, number, who, words, now))
    say({"id": number, "noted": words}, "noted")


@app.command()
def close(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why it is over, though nothing measured says so.")],
) -> None:
    """Close an incident by your decision. What watches opens another if the symptom goes on.

    Example: zena incident close 12 --reason "a load test, announced"
    """
    from zena.operate.incidents.actions import close as close_it

    words = _words(reason)
    now, who = SystemClock().now(), here()
    _do(number, lambda conn: close_it(conn, number, who, words, now))
    say({"id": number, "closed_by": who}, f"incident {number} is closed")


def _words(text: str) -> str:
    words = " ".join(text.split())
    if not 1 <= len(words) <= _LONGEST:
        raise CommandError(f"what is written down has 1 to {_LONGEST:,} characters", Exit.USAGE)
    return words


def _found(number: int) -> dict[str, Any]:
    from zena.operate.incidents.listing import one

    found = ask_as(Role.OPS, lambda conn: one(conn, number))
    if found is None:
        raise _nothing(number)
    return found


def _do(number: int, action: "Callable[[Raw], Awaitable[None]]") -> None:
    from zena.operate.incidents.actions import Closed, NoIncident

    try:
        ask_as(Role.OPS, action)
    except NoIncident:
        raise _nothing(number) from None
    except Closed:
        raise CommandError(f"incident {number} is closed already", Exit.DATA) from None


def _nothing(number: int) -> CommandError:
    return CommandError(f"there is no incident {number}: `zena incident list --all` names them", Exit.DATA)
