"""`zena tenant suspend|resume|verify-isolation`: shutting a firm out, and proving that firms are held apart."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from zena.cli import CommandError, in_state, say
from zena.cli.shell import hooks, require
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.state import State
    from zena.operate.isolation.verdict import Verdict
    from zena.operate.tenants.standing import Done

app = typer.Typer(help="Firms: suspend, serve again, prove apart.", no_args_is_help=True, add_completion=False)

T = TypeVar("T")
Slug = Annotated[str, typer.Argument(metavar="TENANT", help="The firm's short name.")]

_LONGEST = 300


@app.command()
def suspend(
    tenant: Slug,
    reason: Annotated[str, typer.Option(help="Why; stands in the firm's record and among the changes.")],
) -> None:
    """Serve a firm no more: its people are told so, live connections close within 2 seconds, its jobs wait.

    Nothing is deleted; `zena tenant resume` ends it. Exit 65 when there is no such firm.

    Example: zena tenant suspend meridian-works --reason "Contract ended on 30 June"
    """
    from zena.kit.changes import here
    from zena.operate.tenants.standing import suspend as run

    said = " ".join(reason.split())
    if not said or len(said) > _LONGEST or not said.isprintable():
        raise CommandError(f"--reason: 1 to {_LONGEST} printable characters", Exit.USAGE)
    done = _as_operations(lambda state: run(state, tenant, said, here()))
    _tell(done, "is suspended: nobody comes in, its jobs wait", "was suspended already")


@app.command()
def resume(tenant: Slug) -> None:
    """Serve a suspended firm again: sessions and tokens work as before, its jobs go on within a minute.

    Exit 65 when there is no such firm.

    Example: zena tenant resume meridian-works
    """
    from zena.kit.changes import here
    from zena.operate.tenants.standing import resume as run

    done = _as_operations(lambda state: run(state, tenant, here()))
    _tell(done, "is served again", "was served already")


@app.command("verify-isolation")
def verify_isolation() -> None:
    """Try to reach one firm from another by every route, list, search, channel and table; exit 1 if anything gives.

    Two firms that nobody else sees are made for it and kept; each holds one of everything, with a word that stands
    nowhere else. Works while Zena runs and while it does not; a worker does the same every six hours. Exit 75 while
    somebody else does.

    Example: zena tenant verify-isolation --json
    """
    import logging

    from zena.cli.lazy import resolve
    from zena.kit.logs import setup_logging

    async def work(state: "State") -> "Verdict":
        from zena.operate.isolation.verify import Busy, verify

        # Refusals are what it is about; the queue's library sets levels of its own when it is loaded.
        setup_logging("error")
        logging.disable(logging.WARNING)
        try:
            return await verify(state, resolve(hooks().create_app))
        except Busy as error:
            raise CommandError("somebody else tries just now: wait for half a minute", Exit.RETRY) from error

    verdict = _as_operations(work)
    say(verdict.as_json(), "\n".join(verdict.lines()))
    raise typer.Exit(Exit.OK if verdict.ok else Exit.FINDING)


def _as_operations(work: "Callable[[State], Awaitable[T]]") -> T:
    """Run with the parts of a process, and the operations role at hand."""

    async def run(state: "State") -> T:
        require(state.settings, Role.OPS)
        return await work(state)

    return in_state(run)


def _tell(done: "Done", changed: str, stood: str) -> None:
    data = {"tenant": done.firm.slug, "id": str(done.firm.id), "changed": done.changed}
    say(data, f"{done.firm.slug} {changed if done.changed else stood}")
