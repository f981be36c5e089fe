"""`zena websocket serve`: live connections alone. The slice that operates them adds its own commands to this group."""

from typing import Annotated

import typer

from zena.cli.lazy import resolve
from zena.cli.process import GoOption, ParentOption, ReadyOption, fit_settings, serve_app, tie

app = typer.Typer(help="Live connections: a process of their own, and how they stand.", no_args_is_help=True)


@app.callback()
def websocket() -> None:
    """Live connections: a process of their own, and how they stand."""


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: ZENA_WEBSOCKET_PORT, 8080.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: ZENA_HOST.")] = None,
    fd: Annotated[int | None, typer.Option("--fd", hidden=True)] = None,
    ready_fd: ReadyOption = None,
    go_fd: GoOption = None,
    parent: ParentOption = None,
) -> None:
    """Take live connections, and nothing else, until SIGTERM; then send everybody on to the next process.

    Serves /ws, the event stream, /api/v1/ws/health and /api/v1/health/live and
    ready. Pages find it by ZENA_WEBSOCKET_URL, which the web processes need
    too. Exit 69 when the database is away, 78 when the port is taken or the
    schema is not this release's.

    Example: zena websocket serve --port 8080
    """
    from zena.cli.shell import hooks
    from zena.kit.serving.listen import adopt, bind

    tie(parent)
    create_app = resolve(hooks().create_live_app)
    found = fit_settings(go_fd)
    asked = found.websocket_port if port is None else port
    by = "ZENA_WEBSOCKET_PORT" if port is None else "--port"
    listener = bind(host or found.host, asked, chosen_by=by) if fd is None else adopt(fd)
    serve_app(found, create_app, listener, ready_fd)
