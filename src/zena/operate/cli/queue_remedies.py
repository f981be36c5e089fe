"""`zena queue retry|hold|discard`: what becomes of single jobs. Each is written down as a change."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, confirm, say
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.kit.queue.failures import Failure
    from zena.operate.queue.retrying import Group

Jobs = Annotated[list[str] | None, typer.Argument(help="Job numbers, or the word all.")]
Kind = Annotated[str | None, typer.Option(help="All of one kind.")]
Fingerprint = Annotated[str | None, typer.Option(help="All that failed in this way.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


def mount(app: typer.Typer) -> None:
    """Add these commands to the group."""
    for command in (retry, hold, discard):
        app.command()(command)


def retry(
    jobs: Jobs = None,
    fingerprint: Fingerprint = None,
    kind: Kind = None,
    everything: All = False,
    patience: Annotated[float, typer.Option(min=1, max=3600, help="Seconds that one wave may take.")] = 60,
) -> None:
    """Run held jobs again: one first, then ten, then five a second, until one of them fails again.

    Jobs that failed alike go together, and stop together; what was not run stays held. Exit 1 when some failed
    again, 75 when they did not end in time or somebody else retries just now.

    Example: zena queue retry --fingerprint 5f2c1a9be011
    """
    from zena.kit.changes import record
    from zena.operate.queue.retrying import Busy
    from zena.operate.queue.retrying import retry as run

    wanted = _wanted(jobs, fingerprint=fingerprint, kind=kind, everything=everything)

    async def work(conn: "Raw") -> "list[Group]":
        held = await _held(conn, wanted)
        await _check_retried(conn, held)
        groups = await run(conn, held, patience=patience, tell=lambda line: print(line, file=sys.stderr))
        await record(
            conn, "remedy", "queue retry", after={"jobs": len(held), "done": sum(group.done for group in groups)}
        )
        return groups

    try:
        groups = ask_as(Role.OPS, work)
    except Busy as error:
        raise CommandError("another retry is under way; this one did nothing", Exit.RETRY) from error
    say([_as_json(group) for group in groups], "\n".join(_group(group) for group in groups))
    if any(group.failed for group in groups):
        raise typer.Exit(Exit.FINDING)
    raise typer.Exit(Exit.RETRY if any(group.out_of_time for group in groups) else Exit.OK)


def hold(
    jobs: Jobs = None,
    kind: Kind = None,
    reason: Annotated[str, typer.Option(help="Why, for those who find them.")] = "held by hand",
) -> None:
    """Hold waiting jobs: nobody runs them until `zena queue retry`. What runs already runs on.

    Example: zena queue hold --kind accounts.mail_reset --reason "mail server answers 550"
    """
    from zena.kit.changes import record
    from zena.kit.queue import failures

    if bool(jobs) == bool(kind) or "all" in (jobs or []):
        raise CommandError("say which: job numbers, or --kind; to stop everything, stop the workers", Exit.USAGE)
    wanted = _wanted(jobs, fingerprint=None, kind=kind, everything=False)

    async def work(conn: "Raw") -> int:
        count = await failures.hold(conn, reason, **wanted)
        await record(conn, "remedy", "queue hold", after={"reason": reason, "held": count, "which": wanted})
        return count

    count = ask_as(Role.OPS, work)
    if not count:
        raise CommandError("no such job waits: it ran, runs, or is held already; nothing was changed", Exit.DATA)
    say({"held": count}, f"{count} held; `zena queue retry` lets them run")


def discard(
    jobs: Jobs = None,
    fingerprint: Fingerprint = None,
    kind: Kind = None,
    everything: All = False,
    export: Annotated[Path | None, typer.Option(help="Where the copy goes; a new file.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
) -> None:
    """Delete held jobs, after writing each into a file, one JSON object a line. Shows counts; --yes does it.

    Without --export the file goes to `exports` in the data directory. Only its owner may read it.

    Example: zena queue discard --fingerprint 5f2c1a9be011 --yes
    """
    from zena.cli.shell import settings
    from zena.kit.queue import failures

    wanted = _wanted(jobs, fingerprint=fingerprint, kind=kind, everything=everything)
    held = ask_as(Role.OPS, lambda conn: _held(conn, wanted))
    confirm({f"held jobs of {name}": count for name, count in _by_kind(held).items()}, yes=yes)
    copy = export or failures.copy_in(settings().data_dir, SystemClock().now())

    async def work(conn: "Raw") -> int:
        from zena.kit.changes import record

        count = await failures.discard(conn, [one.id for one in held], copy)
        await record(conn, "remedy", "queue discard", after={"jobs": count, "copy": str(copy)})
        return count

    try:
        count = ask_as(Role.OPS, work)
    except FileExistsError as error:
        raise CommandError(f"{copy} exists already; nothing was deleted", Exit.DATA) from error
    say({"discarded": count, "copy": str(copy)}, f"{count} deleted; a copy of each is in {copy}")


def _wanted(jobs: list[str] | None, *, fingerprint: str | None, kind: str | None, everything: bool) -> dict[str, Any]:
    """Return what `failures` is asked for; exactly one way to say it must be used."""
    named = [word for word in jobs or [] if word != "all"]
    everything = everything or "all" in (jobs or [])
    if sum((bool(named), bool(fingerprint), bool(kind), everything)) != 1:
        raise CommandError("say which jobs: their numbers, or one of --fingerprint, --kind, --all", Exit.USAGE)
    if not all(word.isascii() and word.isdigit() and int(word) < 2**63 for word in named):
        raise CommandError(f"job numbers are whole numbers, not {' '.join(named)}", Exit.USAGE)
    found: dict[str, Any] = {"ids": [int(word) for word in named]} if named else {}
    if kind:
        found["kind"] = kind
    if fingerprint:
        found["fingerprint"] = fingerprint
    return found


async def _held(conn: "Raw", wanted: dict[str, Any]) -> "list[Failure]":
    from zena.kit.queue.failures import failures

    found = await failures(conn, **wanted)
    missing = sorted(set(wanted.get("ids", ())) - {one.id for one in found})
    if missing:
        raise CommandError(
            f"not held: {', '.join(map(str, missing))}; `zena why job {missing[0]}` says more", Exit.DATA
        )
    if not found:
        raise CommandError("no such job is held: `zena queue failed` lists those that are", Exit.DATA)
    return found


async def _check_retried(conn: "Raw", held: "list[Failure]") -> None:
    """Refuse what would only wait: a paused kind, or no worker to run it."""
    kinds = sorted({one.kind for one in held})
    paused = await conn.fetchval("SELECT min(entrypoint) FROM queue.paused WHERE entrypoint = ANY($1)", kinds)
    if paused is not None:
        raise CommandError(f"{paused} is paused: `zena queue resume {paused}` first", Exit.DATA)
    if not await conn.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'zena-queue'"):
        raise CommandError("no worker is connected, so nothing would run: `zena queue workers`", Exit.UNAVAILABLE)


def _by_kind(held: "list[Failure]") -> dict[str, int]:
    from collections import Counter

    return dict(sorted(Counter(one.kind for one in held).items()))


def _as_json(group: "Group") -> dict[str, Any]:
    from dataclasses import asdict

    return {name: value for name, value in asdict(group).items() if name not in {"marks", "out_of_time"}}


def _group(group: "Group") -> str:
    counts = f"{group.done} done, {group.failed} failed again, {group.left} left held"
    more = "".join(
        f", {count} {name}" for name, count in (("skipped", group.skipped), ("under way", group.running)) if count
    )
    why = f"; stopped: {group.stopped}" if group.stopped else ""
    return f"{group.fingerprint} {', '.join(group.kinds)}: {counts}{more}{why}"
