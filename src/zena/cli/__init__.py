"""The shell of the command line: one root, output modes, exit codes. It knows no slice; slices may use it."""

from zena.cli.lazy import Hooks, LazyCommand
from zena.cli.output import CommandError, confirm, say, table
from zena.cli.root import build_cli, main
from zena.cli.shell import ask_as, in_state, settings

__all__ = [
    "CommandError",
    "Hooks",
    "LazyCommand",
    "ask_as",
    "build_cli",
    "confirm",
    "in_state",
    "main",
    "say",
    "settings",
    "table",
]
