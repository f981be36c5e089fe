"""`zena queue`: what waits, who works, what failed; `queue_remedies` and `queue_controls` change it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zena.cli import CommandError, ask_as, say, table
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli import queue_controls, queue_remedies
from zena.operate.cli.spans import ago, span
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.kit.queue.failures import Failure

app = typer.Typer(help="The job queue.", no_args_is_help=True, add_completion=False)
queue_remedies.mount(app)
queue_controls.mount(app)


@app.command()
def status(minutes: Annotated[int, typer.Option(min=1, max=60, help="How far back runs are counted.")] = 15) -> None:
    """Show each kind of job: waiting, running, held, the oldest, runs and failures, and the time to clear.

    Exit 1 when something needs a person; each such thing is a line that begins with `!`.

    Example: zena queue status
    """
    from zena.cli.shell import connected
    from zena.operate.queue.standing import standing

    now, slots = SystemClock().now(), connected().worker_pool_size
    window = timedelta(minutes=minutes)
    found = ask_as(Role.OPS, lambda conn: standing(conn, now, window=window, slots=slots))
    say(found, "\n".join(_status(found)))
    raise typer.Exit(Exit.FINDING if found["findings"] else Exit.OK)


@app.command()
def workers() -> None:
    """List the workers with their last sign of life; exit 1 when none is alive.

    Example: zena queue workers
    """
    from zena.operate.queue import standing

    found = ask_as(Role.OPS_READ, standing.workers)
    rows = [
        row
        | {
            "state": "alive" if row["alive"] else "replaced" if row["replaced"] else "SILENT",
            "seen": ago(row["silent_for"]),
        }
        | {"started": f"{row['started_at']:%Y-%m-%d %H:%M:%S}"}
        for row in found
    ]
    table(rows, ["host", "pid", "state", "seen", "started", "release"])
    raise typer.Exit(Exit.OK if any(row["alive"] for row in found) else Exit.FINDING)


@app.command()
def schedules() -> None:
    """List the schedules with their last and next time (UTC), and how the last run ended; exit 1 when one was missed.

    Example: zena queue schedules
    """
    from zena.operate.queue import standing

    now = SystemClock().now()
    found = ask_as(Role.OPS, lambda conn: standing.schedules(conn, now))
    rows = [
        row
        | {when: row[when] and f"{row[when]:%Y-%m-%d %H:%M:%S}" for when in ("last", "next")}
        | {"missed": "MISSED" if row["missed"] else None}
        for row in found
    ]
    table(rows, ["name", "schedule", "last", "ended", "next", "missed"])
    raise typer.Exit(Exit.FINDING if any(row["missed"] for row in found) else Exit.OK)


@app.command()
def failed(
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind.")] = None,
    fingerprint: Annotated[str | None, typer.Option(help="Only jobs that failed in this way.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
) -> None:
    """List the held jobs, the last first: how often each was started, its error, where, and its arguments.

    Jobs with the same fingerprint failed in the same way. Nothing held is exit 0 too.

    Example: zena queue failed --fingerprint 5f2c1a9be011
    """
    from collections import Counter
    from dataclasses import asdict

    from zena.kit.queue.failures import failures

    async def read(conn: "Raw") -> "list[Failure]":
        return await failures(conn, kind=kind, fingerprint=fingerprint)

    found = ask_as(Role.OPS, read)
    lines = [line for one in found[:limit] for line in _failure(one)]
    shown = f"; the last {limit} are shown" if len(found) > limit else ""
    ways = ", ".join(f"{count} [{name}]" for name, count in Counter(one.fingerprint for one in found).most_common(5))
    head = (
        f"{len(found)} held: {ways}{shown}"
        if found
        else "nothing of that is held"
        if kind or fingerprint
        else "nothing is held"
    )
    say([asdict(one) for one in found[:limit]], "\n".join([head, *lines]))


@app.command()
def show(job: Annotated[int, typer.Argument(help="The job's number.")]) -> None:
    """Show one job, waiting, running, held or ended within a week, with its history and the last trace.

    Example: zena queue show 4711
    """
    from zena.kit.queue.admin import show as read

    found = ask_as(Role.OPS, lambda conn: read(conn, job))
    if found is None:
        raise CommandError(f"there is no job {job}; what ended more than a week ago is forgotten", Exit.DATA)
    say(found, "\n".join(_job(found)))


_HEAD: Final = (
    f"{'kind':<26}{'waiting':>8}{'later':>7}{'running':>8}{'held':>6}{'oldest':>10}"
    f"{'runs':>7}{'failed':>7}{'mean':>10}{'to clear':>10}"
)


def _status(found: dict[str, Any]) -> list[str]:
    lines = [_HEAD]
    for row in found["kinds"]:
        mean = "-" if row["mean_ms"] is None else f"{row['mean_ms']:.0f} ms"
        lines.append(
            f"{row['kind']:<26}{row['waiting']:>8}{row['later']:>7}{row['running']:>8}{row['held']:>6}"
            f"{span(row['oldest']):>10}{row['runs']:>7}{row['failures']:>7}{mean:>10}{span(row['clear']):>10}"
            + ("  paused" if row["paused"] is not None else "")
        )
    crew = found["workers"]
    silent = f", {crew['silent']} silent" if crew["silent"] else ""
    alive = "1 worker" if crew["alive"] == 1 else f"{crew['alive']} workers"
    lines.append(f"{alive} alive{silent}; runs of the last {span(found['window_seconds'])}")
    return [*lines, *(f"! {finding}" for finding in found["findings"])]


def _failure(one: "Failure") -> list[str]:
    arguments = ", ".join(f"{name}={value}" for name, value in one.arguments.items())
    return [
        f"{one.id}  {one.kind}  held {one.held_at:%Y-%m-%d %H:%M:%S}, started {one.starts} times  [{one.fingerprint}]",
        f"    {one.error}: {' '.join(one.message.split())[:200]}",
        f"    at {one.where or 'no line of ours'}; tenant {one.tenant or '-'}; {arguments or 'no arguments'}",
    ]


def _job(found: dict[str, Any]) -> list[str]:
    lines = [f"job {found['id']}" + ("" if "entrypoint" in found else ": ended")]
    if "entrypoint" in found:
        state = "held" if found["status"] == "failed" else found["status"]
        lines += [
            f"{found['entrypoint']}, {state}; tenant {found['tenant'] or '-'}",
            f"queued {found['created']:%Y-%m-%d %H:%M:%S}, to be run from {found['execute_after']:%Y-%m-%d %H:%M:%S}",
            *(f"    {name} = {value}" for name, value in found["arguments"].items()),
        ]
    for entry in found["history"]:
        said = f"  {entry['error']}: {' '.join((entry['message'] or '').split())[:200]}" if entry["error"] else ""
        lines.append(f"{entry['created']:%Y-%m-%d %H:%M:%S.%f}"[:23] + f"  {entry['status']}{said}")
    traces = [entry["traceback"] for entry in found["history"] if entry["traceback"]]
    return [*lines, *(traces[-1].rstrip().splitlines() if traces else [])]
