"""`zena serve` and `zena web`: the processes. The supervisor's own first step, `zena prepare`, is here too."""

import asyncio
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from zena.cli.lazy import resolve
from zena.cli.output import CommandError
from zena.kit.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from zena.cli.lazy import Hooks
    from zena.kit.supervisor.plan import Plan
    from zena.settings import Settings

ParentOption = Annotated[int | None, typer.Option("--parent", hidden=True)]
GoOption = Annotated[int | None, typer.Option("--go-fd", hidden=True)]
ReadyOption = Annotated[int | None, typer.Option("--ready-fd", hidden=True)]

WEB_ROLES = ("app", "ops_read")
WEBSOCKET_ROLES = ("app",)
WORKER_ROLES = ("app", "ops", "ops_read", "backup")
ALL_ROLES = ("app", "owner", "ops", "ops_read", "backup")


def mount(app: typer.Typer) -> None:
    """Add the commands of this module to the root."""
    app.command()(serve)
    app.command()(web)
    app.command(hidden=True)(prepare)


def serve(
    demo: Annotated[bool, typer.Option("--demo", help="Load a demo firm once, and print a sign-in link.")] = False,
) -> None:
    """Run everything on this machine: database (unless ZENA_DATABASE_URL is set), migrations, web and worker.

    With ZENA_WEBSOCKET_PROCESSES also processes for live connections alone.

    Prints the address, and a link that lets the first person in. Ends at
    SIGTERM with 0, after running requests and jobs. Exit 78 when the port is
    taken or Zena runs in this data directory already, 69 when the database is
    away.

    Example: zena serve --demo
    """
    from zena.cli.shell import require, settings
    from zena.kit.serving.listen import bind, port_of
    from zena.kit.supervisor import leftovers
    from zena.settings import Role, load_keys

    found = settings()
    if not found.embedded:
        require(found, Role.APP, Role.OWNER, Role.OPS)
    load_keys(found)
    where = leftovers.clear(found.data_dir / "serve.json")
    if where is not None:
        raise CommandError(
            f"Zena runs here already, at {where}; stop it, or set ZENA_DATA_DIR and ZENA_PORT", Exit.CONFIG
        )
    listeners = [bind(found.host, found.port)]
    if found.port == 0:
        os.environ["ZENA_PORT"] = str(port_of(listeners[0]))
    if found.websocket_processes:
        listeners.append(bind(found.host, found.websocket_port, chosen_by="ZENA_WEBSOCKET_PORT"))
        os.environ["ZENA_WEBSOCKET_PORT"] = str(port_of(listeners[1]))
    become_supervisor(_plan(settings(), [one.fileno() for one in listeners], demo=demo))


def _plan(found: "Settings", listeners: list[int], *, demo: bool) -> "Plan":
    from zena.kit.embedded.config import ARCHIVING
    from zena.kit.supervisor.plan import Plan, Spec
    from zena.settings import read_file

    def crew(kind: str, count: int, command: list[str], roles: tuple[str, ...], **more: Any) -> list[Spec]:
        return [Spec(f"{kind}-{number}", command, roles, **more) for number in range(1, count + 1)]

    children = [
        *crew("web", found.web_processes, program("web", "--fd", str(listeners[0])), WEB_ROLES),
        *crew("worker", found.worker_processes, program("queue", "work"), WORKER_ROLES, grace=30, late=True),
    ]
    if found.websocket_processes:
        command = program("websocket", "serve", "--fd", str(listeners[1]))
        children += crew("websocket", found.websocket_processes, command, WEBSOCKET_ROLES)
    return Plan(
        data_dir=str(found.data_dir),
        url=found.public_url,
        children=children,
        embedded=found.embedded,
        database=found.embedded_database,
        prepare=Spec("prepare", program("prepare", *(["--demo"] if demo else [])), ALL_ROLES),
        listeners=listeners,
        log=supervisor_log(found),
        values=read_file(os.environ).values,
        server_options={"max_connections": str(_connections(found))} | (ARCHIVING if found.backup_wal else {}),
    )


def supervisor_log(found: "Settings") -> dict[str, object]:
    """Return where the supervisor keeps its events: channel app, if that is written to files."""
    channels = {channel.partition("=")[0] for channel in found.log_channels}
    if found.log_output == "console" or "app" not in channels:
        return {}
    return {"path": str(found.logs_path / "app.log"), "max_bytes": found.log_max_bytes, "keep": found.log_keep}


def _connections(found: "Settings") -> int:
    """Return how many connections the embedded server must allow: every pool full, and some to look from outside."""
    each_web = 2 * found.pool_size + 4
    each_worker = 2 * found.worker_pool_size + 8
    spare = 16
    serving = found.web_processes + found.websocket_processes
    return max(60, serving * each_web + found.worker_processes * each_worker + spare)


def program(*arguments: str) -> list[str]:
    """Return the command line that runs this program anew."""
    # -P: whatever lies in the current directory is not ours to import.
    return [sys.executable, "-P", *_hooks().program, *arguments]


def become_supervisor(plan: "Plan") -> NoReturn:
    """Replace this process by the supervisor: same process id, none of our imports."""
    sys.stdout.flush()
    command = [sys.executable, "-P", "-m", "zena.kit.supervisor", str(plan.to_descriptor())]
    os.execv(sys.executable, command)  # noqa: S606 - no shell is the point


def web(
    fd: Annotated[int | None, typer.Option("--fd", hidden=True)] = None,
    ready_fd: ReadyOption = None,
    go_fd: GoOption = None,
    parent: ParentOption = None,
) -> None:
    """Run one web process alone, for systemd, compose or Kubernetes.

    Prints log lines on stderr. Exit 69 when the database is away, 78 when its
    schema is not this release's.

    Example: ZENA_HOST=0.0.0.0 zena web
    """
    from zena.kit.serving.listen import adopt, bind

    tie(parent)
    create_app = resolve(_hooks().create_app)
    found = fit_settings(go_fd)
    serve_app(found, create_app, bind(found.host, found.port) if fd is None else adopt(fd), ready_fd)


def serve_app(found: "Settings", create: "Callable[[Any], Any]", listener: "socket", ready: int | None) -> None:
    """Serve an application of this installation on a socket until SIGTERM, then drain; what it holds is made here."""
    from zena.kit.serving.lifeline import tell_ready
    from zena.kit.serving.server import serve as serve_http

    state = resolve(_hooks().build_state)(found, worker=False)
    on_stop = partial(resolve(stopping), state) if (stopping := _hooks().stopping) else None
    serve_http(create(state), listener, on_ready=lambda: tell_ready(ready), on_stop=on_stop)


def prepare(
    demo: Annotated[bool, typer.Option("--demo")] = False,
    parent: ParentOption = None,
) -> None:
    """Migrate, check, and print the line that lets the first person in, as JSON. Run by `zena serve`."""
    from zena.cli.schema import upgraded
    from zena.cli.shell import settings
    from zena.kit.logs import log_as_set
    from zena.kit.posture import check_posture

    tie(parent)
    hook = _hooks().welcome
    welcome = resolve(hook) if hook else None
    found = settings()
    log_as_set(found, console="warning")

    async def everything() -> str | None:
        await upgraded(found, _hooks().migrations)
        await check_posture(found.dsn())
        line: str | None = await welcome(found, demo=demo) if welcome else None
        return line

    line = asyncio.run(everything())
    is_link = line is not None and line.startswith(("http://", "https://"))
    print(json.dumps({"line": f"To get in, open this link; it works once: {line}" if is_link else line}))


def fit_settings(go: int | None) -> "Settings":
    """Return settings of a database that holds tenants apart and has this release's schema; else exit 78.

    Under a supervisor, waits for the migrations first.
    """
    from zena.cli.shell import check_database, connected
    from zena.kit.logs import log_as_set
    from zena.kit.serving.lifeline import wait_for_go

    wait_for_go(go)
    found = connected()
    log_as_set(found)
    asyncio.run(check_database(found))
    return found


def tie(parent: int | None) -> None:
    """End with the supervisor, if there is one."""
    if parent is not None:
        from zena.kit.serving.lifeline import die_with_parent

        die_with_parent(parent)


def _hooks() -> "Hooks":
    from zena.cli.shell import hooks

    return hooks()
