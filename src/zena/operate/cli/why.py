"""`zena why`: the conditions of something in their order, with the first one that does not hold."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, say
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.why_slow import slow
from zena.settings import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zena.kit.db import Raw
    from zena.kit.state import State
    from zena.operate.reasons.access import Link, Question

app = typer.Typer(
    help="Why something does not work: the chain with its first broken link.",
    no_args_is_help=True,
    add_completion=False,
)


app.command()(slow)


@app.callback()
def why() -> None:
    """Why something does not work: the chain with its first broken link."""


@app.command()
def login(
    email: Annotated[str, typer.Argument(help="The person's address.")],
    ip: Annotated[list[str] | None, typer.Option("--ip", help="The address they try from; may be repeated.")] = None,
) -> None:
    """Say why somebody cannot sign in; exit 1 when a link is broken.

    Known are the addresses of past sessions; where they try from a new one, name it with --ip.

    Example: zena why login lan@meridian.example --ip 203.0.113.7
    """
    from zena.accounts.facade import chain, person_at
    from zena.cli.shell import connected
    from zena.kit.text import email_address
    from zena.settings import load_keys

    address, ring = email_address(email), load_keys(connected(Role.OPS))
    person = ask_as(Role.OPS, lambda conn: person_at(conn, ring.oldest.secret, address, ip or []))
    _tell([(link.name, link.holds, link.says) for link in chain(person, ring)])


@app.command()
def access(
    email: Annotated[str, typer.Argument(help="The person's address.")],
    resource: Annotated[str, typer.Argument(help="RIV-12, RIV, an id, or an address that holds one of them.")],
    tenant: Annotated[str | None, typer.Option(help="Short name of the firm; theirs, unless named.")] = None,
) -> None:
    """Say why somebody does not see a task, project or comment; exit 1 when a link is broken.

    What lies in another firm is told by its ids only, and recorded.

    Example: zena why access lan@meridian.example RIV-12
    """
    from zena.kit.text import email_address
    from zena.operate.reasons.access import NoSuchName, Question, WhichFirm

    asked = Question(email_address(email), resource, tenant)
    try:
        links = _as_both(asked)
    except NoSuchName:
        message = f"{resource!r} names nothing: give RIV-12, RIV, an id, or an address that holds one of them"
        raise CommandError(message, Exit.USAGE) from None
    except WhichFirm as error:
        raise CommandError(f"it is there in several of their firms, name one with --tenant: {error}") from None
    _tell(links)


def _as_both(asked: "Question") -> "Sequence[Link]":
    """Ask with the eyes of operations, and with those of the application."""
    import asyncio

    from zena.cli.shell import connected, require
    from zena.kit.db import dialled
    from zena.operate.reasons.access import access_chain

    found = connected(Role.OPS)
    require(found, Role.APP)

    async def work() -> "Sequence[Link]":
        async with (
            dialled(found.dsn(Role.OPS), "zena-cli") as ops,
            dialled(found.direct_dsn, "zena-cli") as app_,
        ):
            return await access_chain(ops, app_, asked)

    return asyncio.run(work())


@app.command()
def job(number: Annotated[int, typer.Argument(min=1, help="The job's number.")]) -> None:
    """Say why a job does not run, or how it ended; exit 1 when something stands in its way.

    Example: zena why job 4711
    """
    now = SystemClock().now()
    found = ask_as(Role.OPS, lambda conn: _job(conn, number, now))
    if found is None:
        raise CommandError(f"there is no job {number}; what ended more than a week ago is forgotten", Exit.DATA)
    _tell(found)


@app.command()
def ws(
    email: Annotated[str, typer.Argument(help="The person's address.")],
    channel: Annotated[str, typer.Argument(help="tenant:FIRM_ID:RESOURCE[:ID]")],
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Short name of the firm they are signed in to.")
    ] = None,
) -> None:
    """Say why somebody hears nothing on a channel; exit 1 when a link is broken.

    The last links are asked of the running processes and take two to four seconds.

    Example: zena why ws lan@meridian.example tenant:01a21466-11e7-7389-b1ac-98210de23fb5:tasks --tenant meridian
    """
    from zena.cli.shell import connected, in_state
    from zena.kit.db import dialled
    from zena.kit.text import email_address
    from zena.operate.realtime.reasons import reasons

    address = email_address(email)
    connected(Role.OPS)  # a database that does not run is not to be started for this

    async def chain(state: "State") -> "list[tuple[str, bool, str]]":
        async with dialled(state.settings.dsn(Role.OPS), "zena-cli") as conn:
            return [link async for link in reasons(state, conn, email=address, name=channel, firm=tenant)]

    _tell(in_state(chain))


async def _job(conn: "Raw", number: int, now: datetime) -> "Sequence[tuple[str, bool, str]] | None":
    from zena.operate.queue.reasons import reasons

    return await reasons(conn, number, now)


def _tell(links: "Sequence[tuple[str, bool, str]]") -> None:
    broken = next((name for name, holds, _ in links if not holds), None)
    data: dict[str, Any] = {
        "broken": broken,
        "chain": [{"link": name, "holds": holds, "says": says} for name, holds, says in links],
    }
    width = max(len(name) for name, _, _ in links)
    lines = [f"{'ok ' if holds else '!! '} {name:<{width}}  {says}" for name, holds, says in links]
    say(data, "\n".join([*lines, f"first broken link: {broken}" if broken else "every link holds"]))
    raise typer.Exit(Exit.FINDING if broken else Exit.OK)
