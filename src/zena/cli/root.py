"""The root command: core commands of the shell, and those the slices bring, loaded when called."""

import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup

from zena import __version__
from zena.cli import completion, config, db, migrate, process, websocket, work
from zena.cli.failures import report
from zena.cli.lazy import Hooks, LazyCommand, resolve
from zena.cli.output import MODE
from zena.cli.shell import set_hooks
from zena.kit.exits import Exit

_HELP = "Project management for construction and engineering firms that runs its own runbook."


class _Root(TyperGroup):
    """A group that knows its lazy commands by name and help, and imports one only to run it."""

    extras: ClassVar[Mapping[str, "LazyCommand | typer.Typer"]] = MappingProxyType({})

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted({*super().list_commands(ctx), *self.extras})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command as the overview shows it."""
        own = super().get_command(ctx, cmd_name)
        extra = self.extras.get(cmd_name)
        if own is not None or extra is None:
            return own
        return _stub(cmd_name, extra) if isinstance(extra, LazyCommand) else typer.main.get_command(extra)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load what is about to run; commands of a slice join a core group of the same name."""
        name, command, rest = super().resolve_command(ctx, args)
        extra = self.extras.get(name or "")
        if extra is None:
            return name, command, rest
        brought = resolve(extra.target) if isinstance(extra, LazyCommand) else extra
        own = super().get_command(ctx, name or "")
        if isinstance(own, TyperGroup):
            own.commands = {**own.commands, **typer.main.get_group(brought).commands}
            return name, own, rest
        loaded = typer.main.get_command(brought)
        loaded.name = name
        if isinstance(loaded, TyperGroup) and isinstance(extra, LazyCommand):
            for target in extra.more:
                loaded.commands = {**loaded.commands, **typer.main.get_group(resolve(target)).commands}
        return name, loaded, rest


def _stub(name: str, extra: LazyCommand) -> TyperGroup:
    return TyperGroup(name=name, help=extra.help)


def build_cli(commands: Iterable[tuple[str, "typer.Typer | LazyCommand"]], hooks: Hooks) -> typer.Typer:
    """Return the program: the shell's own commands and those handed in, by name."""
    set_hooks(hooks)
    root = type("Root", (_Root,), {"extras": dict(commands)})
    app = typer.Typer(
        name="zena",
        cls=root,
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_globals)
    process.mount(app)
    app.command("migrate")(migrate.migrate)
    app.command("completion")(completion.completion)
    app.add_typer(db.app, name="db")
    app.add_typer(config.app, name="config")
    app.add_typer(work.app, name="queue")
    app.add_typer(websocket.app, name="websocket")
    return app


def main(app: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code; every failure is told once, on stderr."""
    given = _without_modes(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(app)
    completion.prepare()
    try:
        result = command.main(args=given, prog_name="zena", standalone_mode=False)
        if sys.stdout is not None:  # closed by whoever called us
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost frame: report() tells all of them
        return report(error)
    if result == Exit.INTERRUPTED:  # Typer keeps Ctrl-C to itself
        return report(KeyboardInterrupt())
    return result if isinstance(result, int) else Exit.OK


def _without_modes(arguments: list[str]) -> list[str]:
    """Take `--json` and `--traceback` wherever they stand before a `--`: every command has them."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    head, tail = arguments[:end], arguments[end:]
    MODE.json, MODE.traceback = "--json" in head, "--traceback" in head
    return [word for word in head if word not in {"--json", "--traceback"}] + tail


def _show_version(asked: bool) -> None:
    if asked:
        from zena.cli.output import say

        say({"version": __version__}, f"zena {__version__}")
        raise typer.Exit


def _globals(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON; works with every command.")] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where an error comes from.")] = False,
) -> None:
    """Options of every command; `main` has read the last two already."""
