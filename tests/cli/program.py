"""The command line around a small application: the shell, the supervisor and the database are the real ones."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from zena.cli import CommandError, Hooks, LazyCommand, build_cli, confirm, in_state, main, say, table
from zena.kit.errors import Forbidden, Invalid, NotFound, RateLimited
from zena.kit.exits import Exit
from zena.settings import Settings

HOOKS = Hooks(
    migrations="zena.migrations.run",
    build_state="tests.cli.program:build_state",
    started="tests.cli.program:started",
    create_app="tests.cli.program:create_app",
    work="tests.cli.program:work",
    welcome="tests.cli.program:welcome",
    program=("-m", "tests.cli.program"),
)

slice_commands = typer.Typer(help="Commands of a slice.")
more_queue = typer.Typer(help="More of the queue.")

FAILURES: dict[str, BaseException] = {
    "not-found": NotFound.of("task"),
    "forbidden": Forbidden("tasks.update"),
    "invalid": Invalid.field("due", "no such day"),
    "limited": RateLimited(9),
    "refused": CommandError("no\nsuch thing", Exit.RETRY),
    "lost": ConnectionRefusedError(111, "Connection refused"),
    "denied": PermissionError(13, "Permission denied", "/etc/shadow"),
    "full": OSError(28, "No space left on device", "/data"),
    "bug": ValueError("boom"),
    "interrupt": KeyboardInterrupt(),
}


@slice_commands.command()
def fail(how: str) -> None:
    """Fail in one of many ways."""
    raise FAILURES[how]


@slice_commands.command()
def remove(yes: Annotated[bool, typer.Option("--yes")] = False) -> None:
    """Remove things."""
    confirm({"tasks": 3, "files": 1}, yes=yes)
    say({"removed": 4}, "removed")


@slice_commands.command()
def listing(none: Annotated[bool, typer.Option("--none")] = False) -> None:
    """List things."""
    table([] if none else [{"name": "a", "size": 1}, {"name": "long name", "size": None}], ["name", "size"])


@slice_commands.command()
def reach(wait: float = 0.0) -> None:
    """Use the parts of a process."""

    async def look(state: Any) -> str:
        typer.echo("reached", err=True)
        await asyncio.sleep(wait)
        return f"{state.settings.dsn().partition(':')[0]} worker={state.worker}"

    say(in_state(look, worker=True))


@more_queue.command()
def status() -> None:
    """Say what waits."""
    say({"waiting": 0}, "nothing waits")


def build_state(settings: Settings, *, worker: bool = False) -> SimpleNamespace:
    return SimpleNamespace(settings=settings, worker=worker)


@asynccontextmanager
async def started(state: SimpleNamespace) -> AsyncIterator[SimpleNamespace]:
    yield state


def create_app(state: SimpleNamespace) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        body = f"{os.getpid()} {sorted(role for role in state.settings.model_fields if is_url(state, role))}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    return app


def is_url(state: SimpleNamespace, name: str) -> bool:
    return name.startswith("database_") and name.endswith("_url") and getattr(state.settings, name) is not None


async def work(_state: SimpleNamespace, stop: asyncio.Event) -> None:
    await stop.wait()


async def welcome(settings: Settings, *, demo: bool) -> str | None:
    return f"Sign in at {settings.public_url}/in/{demo}"


COMMANDS = (
    ("things", LazyCommand("Things of a slice.", "tests.cli.program:slice_commands")),
    ("queue", LazyCommand("More of the queue.", "tests.cli.program:more_queue")),
    ("far", LazyCommand("A slice that cannot be imported.", "tests.cli.nowhere:app")),
)

if __name__ == "__main__":
    sys.exit(main(build_cli(COMMANDS, HOOKS)))
