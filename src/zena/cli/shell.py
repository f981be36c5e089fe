"""What a command needs to reach the application: settings, a database, the parts of a process."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from zena.cli.lazy import Hooks, resolve

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.kit.state import State
    from zena.settings import Role, Settings

T = TypeVar("T")

_hooks: ContextVar[Hooks] = ContextVar("hooks")


def set_hooks(hooks: Hooks) -> None:
    _hooks.set(hooks)


def hooks() -> Hooks:
    """Return the composition root's functions; LookupError outside the program `zena`."""
    return _hooks.get()


def settings() -> "Settings":
    """Return the checked settings; SettingsError ends the command with 78."""
    from zena.settings import load_settings

    return load_settings()


def connected(role: "Role | None" = None) -> "Settings":
    """Return settings with the URLs of a database that runs, configured or embedded.

    EmbeddedError if none runs; SettingsError if the URL of `role` is not configured.
    """
    from zena.kit.embedded.attach import attach

    found = addressed(attach(settings()))
    if role is not None:
        require(found, role)
    return found


def addressed(found: "Settings") -> "Settings":
    """Return settings with the address of the `zena serve` in the data directory, where none was set: for links."""
    from zena.kit.supervisor.wish import read_note

    note = read_note(found.data_dir / "serve.json")
    if not note or not note.get("url") or "public_url" in found.model_fields_set:
        return found
    return found.model_copy(update={"public_url": str(note["url"])})


def require(found: "Settings", *roles: "Role") -> None:
    """Refuse settings that lack the URL of a role, naming each."""
    from zena.settings import Problem, Role, SettingsError

    names = {role: "ZENA_DATABASE_URL" if role is Role.APP else f"ZENA_DATABASE_{role.upper()}_URL" for role in roles}
    missing = [
        Problem(name, "nothing", f"the URL of zena_{role}")
        for role, name in names.items()
        if not found.secret_url(role)
    ]
    if missing:
        raise SettingsError(missing)


def ask_as(role: "Role", work: "Callable[[Raw], Awaitable[T]]", *, timeout: float = 30.0, checked: bool = False) -> T:
    """Run a coroutine function with a connection to the running database as `role`, past any pooler.

    EmbeddedError if none runs; SettingsError if the URL of `role` is not configured, or, where `checked`, if the
    database does not hold tenants apart or has another release's schema.
    """
    from zena.kit.db import dialled

    async def run() -> T:
        found = connected(role)
        if checked:
            await check_database(found)
        url = found.direct_dsn if role == "app" else found.dsn(role)
        async with dialled(url, "zena-cli", patience=timeout) as conn:
            return await work(conn)

    return asyncio.run(run())


def in_state(work: "Callable[[State], Awaitable[T]]", *, worker: bool = False) -> T:
    """Run a coroutine function with the parts of a process, connected; Ctrl-C cancels it, which rolls back.

    Starts the embedded database for the duration, and migrates it, if none runs. One that runs must hold tenants apart
    and have this release's schema; else exit 78.
    """

    async def run(state: "State") -> T:
        async with resolve(hooks().started)(state):
            return await work(state)

    with ready() as found:
        return asyncio.run(run(resolve(hooks().build_state)(found, worker=worker)))


@contextmanager
def ready() -> "Iterator[Settings]":
    """Lend settings of a database that may be worked with, as `in_state` does."""
    from zena.cli.schema import upgraded
    from zena.kit.embedded import urls_of_running
    from zena.kit.embedded.attach import attached
    from zena.kit.logs import log_as_set

    configured = settings()
    log_as_set(configured, console="warning")
    alone = configured.embedded and urls_of_running(configured.data_dir) is None
    with attached(configured) as found:
        asyncio.run(upgraded(found, hooks().migrations) if alone else check_database(found))
        yield addressed(found)


async def check_database(found: "Settings") -> None:
    """Refuse a database that does not hold tenants apart or whose schema is not this release's (exit 78)."""
    from zena.kit.posture import check_posture, head_on_disk

    await check_posture(found.dsn(), head=head_on_disk(hooks().migrations))
