"""`zena queue work`: the worker process. The slice that operates the queue adds its own commands to this group."""

import asyncio
import os
import signal
from typing import Annotated

import typer

from zena.cli.lazy import resolve
from zena.cli.process import (
    WORKER_ROLES,
    GoOption,
    ParentOption,
    ReadyOption,
    become_supervisor,
    fit_settings,
    program,
    supervisor_log,
    tie,
)

app = typer.Typer(help="The job queue: work, and what waits in it.", no_args_is_help=True)


@app.callback()
def queue() -> None:
    """The job queue: work, and what waits in it."""


@app.command()
def work(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes; more than one are supervised.")] = 1,
    ready_fd: ReadyOption = None,
    go_fd: GoOption = None,
    parent: ParentOption = None,
) -> None:
    """Run jobs and schedules until SIGTERM; running jobs may end first.

    Prints log lines on stderr. Exit 69 when the database is away, 78 when its
    schema is not this release's.

    Example: zena queue work --workers 4
    """
    tie(parent)
    if workers > 1:
        _supervised(workers)
    from zena.cli.shell import hooks
    from zena.kit.serving.lifeline import tell_ready

    do_work = resolve(hooks().work)
    found = fit_settings(go_fd)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        state = resolve(hooks().build_state)(found, worker=True)
        async with resolve(hooks().started)(state):
            tell_ready(ready_fd)
            await do_work(state, stop)

    import uvloop

    uvloop.run(run())


def _supervised(workers: int) -> None:
    from zena.cli.shell import connected
    from zena.kit.supervisor.plan import Plan, Spec
    from zena.settings import read_file

    found = connected()
    crew = [
        Spec(f"worker-{number}", program("queue", "work"), WORKER_ROLES, grace=30) for number in range(1, workers + 1)
    ]
    become_supervisor(
        Plan(
            data_dir=str(found.data_dir),
            url="",
            children=crew,
            state_name="workers.json",
            log=supervisor_log(found),
            values=read_file(os.environ).values,
        )
    )
