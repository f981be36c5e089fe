"""What the composition root hands to the command line by name, so that `zena --help` imports none of it."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


def resolve(target: str) -> Any:
    """Return what `module:attribute` names."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command group of a slice: its help for the overview, and where its Typer app is once somebody calls it.

    `more` are apps of other slices whose commands stand in the same group.
    """

    help: str
    target: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hooks:
    """The functions of the composition root, each as `module:attribute`.

    `migrations` names the module with `upgrade(owner_url, ops_url)`, `state(owner_url)` and `config()`; its
    neighbour `plan` has `steps(current, head)`.
    `build_state(settings, worker=bool)`, `started(state)` (async context), `create_app(state)` (ASGI),
    `create_live_app(state)` (ASGI, live connections alone), `work(state, stop)` (coroutine, returns when `stop` is
    set), `stopping(state)` (coroutine, called before a web process drains: tell those who would stay for ever to come
    again elsewhere), and `welcome(settings, demo=bool)` (coroutine: load the demo firm if asked; return the line that
    lets the first person in, or None). `program` is how
    the interpreter starts this command line again, for the processes under the supervisor.
    """

    migrations: str
    build_state: str
    started: str
    create_app: str
    work: str
    create_live_app: str = ""
    stopping: str | None = None
    welcome: str | None = None
    program: tuple[str, ...] = ("-m", "zena")
