"""`zena queue pause|resume|restart`: whether jobs are run at all. Each is written down as a change."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from zena.cli import CommandError, ask_as, say
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw


def mount(app: typer.Typer) -> None:
    """Add these commands to the group."""
    for command in (pause, resume, restart):
        app.command()(command)


def pause(
    kind: Annotated[str, typer.Argument(help="A kind of job, such as accounts.mail_reset.")],
    reason: Annotated[str, typer.Option(help="Why, for those who find it paused.")] = "paused by hand",
) -> None:
    """Let no worker begin jobs of one kind; they wait. What runs already runs on.

    Example: zena queue pause accounts.mail_reset --reason "mail server is down"
    """
    from zena.kit.changes import record
    from zena.kit.queue import admin

    _check_kind(kind)

    async def work(conn: "Raw") -> None:
        await admin.pause(conn, kind, reason)
        await record(conn, "remedy", "queue pause", after={"job": kind, "reason": reason})

    ask_as(Role.OPS, work)
    say({"paused": kind, "reason": reason}, f"{kind} is paused: workers notice within two seconds")


def resume(kind: Annotated[str, typer.Argument(help="A paused kind of job.")]) -> None:
    """Let workers run jobs of a paused kind again.

    Example: zena queue resume accounts.mail_reset
    """
    from zena.kit.changes import record
    from zena.kit.queue import admin

    async def work(conn: "Raw") -> bool:
        paused = await admin.resume(conn, kind)
        await record(conn, "remedy", "queue resume", after={"job": kind})
        return paused

    if not ask_as(Role.OPS, work):
        raise CommandError(f"{kind} was not paused: `zena queue status` shows what is", Exit.DATA)
    say({"resumed": kind}, f"{kind} runs again")


def restart(
    wait: Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for the new workers.")] = 60,
) -> None:
    """Let all workers end their jobs and leave; whoever keeps them running starts new ones.

    That is the supervisor of `zena serve` or `zena queue work --workers N`, systemd or Kubernetes; a single
    `zena queue work` by hand only ends. Exit 75 when the new ones are not there in time.

    Example: zena queue restart
    """
    from zena.operate.queue.restarting import ask, watch

    before, watched = ask_as(Role.OPS, ask), time.monotonic() + wait
    if not before:
        raise CommandError("asked, but no worker gives a sign of life: `zena queue workers`", Exit.FINDING)
    left = ask_as(Role.OPS, lambda conn: watch(conn, before, watched), timeout=wait + 30)
    found = {"asked": len(before), "still_there": left.still_there, "new": left.new}
    more = "" if left.done else "; `zena queue workers` lists them"
    say(found, f"{len(before)} asked to leave, {left.still_there} still there, {left.new} new ones at work{more}")
    raise typer.Exit(Exit.OK if left.done else Exit.RETRY)


def _check_kind(kind: str) -> None:
    """Refuse a name that no worker knows: a slip of the pen would pause nothing and say it did."""
    import difflib

    from zena.cli.lazy import resolve
    from zena.cli.shell import connected, hooks
    from zena.kit.queue.admin import TRIM

    registry = resolve(hooks().build_state)(connected()).registry
    known = sorted({*registry.jobs, *registry.crons, TRIM.name})
    if kind not in known:
        near = difflib.get_close_matches(kind, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise CommandError(f"there is no job {kind!r}: {hint}", Exit.DATA)
