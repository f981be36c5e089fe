"""`zena tuning`: a few numbers that may be set for a while, while everything runs."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, say, settings, table
from zena.cli.output import MODE
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.spans import length
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.operate.tuning.knobs import Knob

app = typer.Typer(
    help="Numbers that are set for a while, while everything runs.", no_args_is_help=True, add_completion=False
)
_LONGEST = 300
_SHORTEST = timedelta(minutes=1)
Name = Annotated[str, typer.Argument(help="As `zena tuning list` names it.")]


@app.command("list")
def list_() -> None:
    """Show what may be set, within which bounds, and what is set now, until when and why.

    Example: zena tuning list
    """
    from zena.operate.tuning import store
    from zena.operate.tuning.knobs import KNOBS

    there = {one["name"]: one for one in ask_as(Role.OPS, store.listed)}
    rows = [_row(knob, there.get(knob.name)) for knob in KNOBS.values()]
    if MODE.json:
        say({"tuning": rows})
        return
    table(rows, ["name", "value", "unit", "otherwise", "least", "most", "until", "actor", "why"])


def _row(knob: "Knob", found: dict[str, Any] | None) -> dict[str, Any]:
    otherwise = knob.otherwise(settings())
    return {
        "name": knob.name, "title": knob.title, "value": found["value"] if found else otherwise, "unit": knob.unit,
        "otherwise": otherwise, "least": knob.least, "most": knob.most, "until": found and found["until"],
        "actor": found and found["actor"], "why": found and found["why"],
    }  # fmt: skip


@app.command("set")
def set_(
    name: Name,
    value: Annotated[float, typer.Argument(help="Within the bounds that `zena tuning list` shows.")],
    span: Annotated[str, typer.Option("--for", help="How long: 30min, 2h; a day at most.")],
    why: Annotated[str, typer.Option(help="Why, for whoever wonders.")],
) -> None:
    """Set a number for a while. Every process follows within a second; it ends by itself.

    Example: zena tuning set cache.life.dashboard 120 --for 2h --why "the database is slow"
    """
    from zena.kit.changes import here
    from zena.operate.tuning import store

    knob, wanted, words = _knob(name), length(span), " ".join(why.split())
    if not knob.least <= value <= knob.most:
        raise CommandError(f"{name} is from {knob.least:g} to {knob.most:g}{knob.unit and f' {knob.unit}'}", Exit.USAGE)
    if not _SHORTEST <= wanted <= store.LONGEST:
        raise CommandError("--for: from a minute to a day; what is to stay belongs into the settings", Exit.USAGE)
    if not 1 <= len(words) <= _LONGEST or not words.isprintable():
        raise CommandError(f"--why: 1 to {_LONGEST} printable characters", Exit.USAGE)
    now = SystemClock().now()
    made = store.Tuning(knob, value, now, now + wanted, here(), words)
    ask_as(Role.OPS, lambda conn: store.tune(conn, made))
    unit = knob.unit and f" {knob.unit}"
    until = f"{made.until:%Y-%m-%d %H:%M} UTC"
    say(
        {"name": name, "value": value, "until": made.until},
        f"{name} is {value:g}{unit} until {until} (`zena tuning end {name}`)",
    )


@app.command()
def end(name: Name) -> None:
    """Let a number be again what it is otherwise, at once. Nothing set: nothing to do.

    Example: zena tuning end cache.life.dashboard
    """
    from zena.kit.changes import here
    from zena.operate.tuning import store

    knob, who = _knob(name), here()

    async def work(conn: "Raw") -> bool:
        return await store.untune(conn, knob, who)

    ended = ask_as(Role.OPS, work)
    said = f"{name} is {knob.otherwise(settings()):g}{knob.unit and f' {knob.unit}'} again"
    say({"name": name, "ended": ended}, said if ended else f"nothing to do: {name} is not set")


def _knob(name: str) -> "Knob":
    from zena.operate.tuning.knobs import KNOBS

    if name not in KNOBS:
        raise CommandError(f"{name} cannot be set while everything runs; {', '.join(KNOBS)} can", Exit.USAGE)
    return KNOBS[name]
