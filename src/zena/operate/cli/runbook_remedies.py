"""`zena runbook plan|apply|undo`: what a remedy would do, doing it, and taking it back."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zena.cli import CommandError, ask_as, say
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.operate.remedies.contract import Planned, Remedy
    from zena.operate.remedies.runner import Hand, Outcome

T = TypeVar("T")
#: A statement of a remedy may take so long, seconds; building an index has its own limit.
_PATIENCE = 120.0
Which = Annotated[str, typer.Argument(metavar="REMEDY", help="Its name: `zena runbook list`.")]
Incident = Annotated[int | None, typer.Option(min=1, help="For an open incident.")]
Scope = Annotated[str | None, typer.Option(help="For one route, statement or kind of job that is over its limit.")]
Confirm = Annotated[str | None, typer.Option(help="The remedy's name, typed: for what is final or gives access.")]


def mount(app: typer.Typer) -> None:
    """Add these commands to the group."""
    for command in (plan, apply, undo):
        app.command()(command)


def plan(which: Which, incident: Incident = None, scope: Scope = None) -> None:
    """Say what a remedy would do, to whom, and how it is undone; nothing is done. The last line applies it.

    Without --incident or --scope it is for what the remedy answers and is over its limit now.

    Example: zena runbook plan cancel_blocker --incident 12
    """
    from zena.operate.remedies import runner, runs

    remedy, aim = _remedy(which), runner.Aim(incident, scope)

    async def work(hand: "Hand") -> "Planned":
        what = await runner.planned(hand, remedy, aim)
        await runs.planned(hand.conn, what, hand.actor, hand.clock.now())
        return what

    what = _handed(work)
    if what is None:
        return
    command = f"zena runbook apply {remedy.id} --plan {what.hash[:16]}" + (
        f" --incident {incident}" if incident else ""
    )
    command += f" --scope {_quoted(scope)}" if scope is not None else ""
    command += f" --confirm {remedy.id}" if remedy.risk == "R3" else ""
    touches = ", ".join(f"{number} {name}" for name, number in what.plan.touches.items())
    lines = [
        f"{remedy.id} ({remedy.risk}) for {what.target.says}: {what.target.reading.says}",
        *(f"  does: {effect}" for effect in what.plan.effects),
        f"  touches: {touches}",
        f"  undo: {what.plan.undo}",
        f"nothing was done yet; to do it:\n  {command}",
    ]
    say(_as_json(what) | {"command": command}, "\n".join(lines))


def apply(
    which: Which,
    plan: Annotated[str, typer.Option(help="The hash that `zena runbook plan` printed.")],
    incident: Incident = None,
    scope: Scope = None,
    confirm: Confirm = None,
    even_so: Annotated[bool, typer.Option("--even-so", help="Though remedies did not help lately.")] = False,
) -> None:
    """Apply a plan, and measure for up to four minutes what came of it. One that makes it worse is taken back.

    Exit 0 when it helped or was no longer needed, 1 when it did not, 65 when the plan is another by now, 75 when
    somebody else applies it or remedies did not help lately.

    Example: zena runbook apply cancel_blocker --plan 5f2c1a9be0110c7d --incident 12
    """
    from zena.operate.remedies import runner

    remedy = _remedy(which)
    if remedy.risk == "R3" and confirm != remedy.id:
        raise CommandError(f"this is final: add --confirm {remedy.id}", Exit.USAGE)
    aim = runner.Aim(incident, scope)
    outcome: Outcome | None = _handed(lambda hand: runner.applied(hand, remedy, aim, plan, even_so=even_so))
    if outcome is None:
        return
    back = f"; to take it back: zena runbook undo {outcome.run}" if remedy.undo and not outcome.undone else ""
    text = f"run {outcome.run}: {outcome.verdict}, {outcome.says}" + ("; it was taken back" if outcome.undone else back)
    told = {"run": outcome.run, "verdict": outcome.verdict, "says": outcome.says, "undone": outcome.undone}
    say(told, text)
    raise typer.Exit(Exit.OK if outcome.helped else Exit.FINDING)


def undo(
    run: Annotated[int, typer.Argument(min=1, help="The run's number, as `zena runbook apply` printed it.")],
    confirm: Confirm = None,
) -> None:
    """Take back what a run did, where that is possible.

    Example: zena runbook undo 7
    """
    from zena.operate.remedies import runner, runs
    from zena.operate.remedies.contract import Refused

    async def work(hand: "Hand") -> str:
        row = await runs.one(hand.conn, run)
        if row is None:
            raise Refused(f"there is no run {run}")
        remedy = _remedy(row["remedy"])
        if remedy.guards and confirm != remedy.id:
            raise CommandError(f"this gives access back: add --confirm {remedy.id}", Exit.USAGE)
        await runner.taken_back(hand, remedy, row, "by a person's decision")
        return remedy.id

    name = _handed(work)
    say({"run": run, "remedy": name}, f"run {run} ({name}) is taken back")


def _handed(work: "Callable[[Hand], Awaitable[T]]") -> T | None:
    """Do something with remedies as zena_ops; None, said, when it is no longer needed."""
    from zena.operate.remedies.contract import Refused
    from zena.operate.remedies.runner import Later, Moved, NotNeeded

    try:
        return ask_as(Role.OPS, lambda conn: _with_hand(conn, work), timeout=_PATIENCE)
    except NotNeeded as over:
        say({"needed": False, "says": str(over)}, f"no longer needed: {over}; nothing was done")
        return None
    except Refused as why:
        raise CommandError(str(why), Exit.DATA) from None
    except Moved:
        raise CommandError("the state moved: plan again; nothing was done", Exit.DATA) from None
    except Later as why:
        message = f"{why}; nothing was done" + ("" if "just now" in str(why) else ", --even-so does it all the same")
        raise CommandError(message, Exit.RETRY) from None


async def _with_hand(conn: Any, work: "Callable[[Hand], Awaitable[T]]") -> T:
    from zena.cli.shell import connected
    from zena.kit.changes import here
    from zena.kit.clock import SystemClock
    from zena.operate.remedies.interrupted import finish_interrupted
    from zena.operate.remedies.runner import Hand

    found, clock = connected(Role.OPS), SystemClock()
    hand = Hand(conn, found, clock, here(), _tell, found.pace)
    for run, says in (await finish_interrupted(hand.look())).items():
        _tell(f"run {run} was interrupted: {says}")
    return await work(hand)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _as_json(what: "Planned") -> dict[str, Any]:
    return {
        "remedy": what.remedy.id, "risk": str(what.remedy.risk), "symptom": what.target.symptom.id,
        "scope": what.target.scope, "incident": what.target.incident, "reading": what.target.reading.says,
        "effects": list(what.plan.effects), "touches": dict(what.plan.touches), "undo": what.plan.undo,
        "hash": what.hash,
    }  # fmt: skip


def _remedy(name: str) -> "Remedy":
    from zena.operate.remedies.catalogue import BY_NAME

    if name not in BY_NAME:
        raise CommandError(f"there is no remedy {name!r}: {', '.join(BY_NAME)}", Exit.USAGE)
    return BY_NAME[name]
