"""`zena user show|activate|deactivate|unlock`: an account as it stands. `zena why login` explains it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer

from zena.accounts.cli import user as app
from zena.cli import CommandError, ask_as, say
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.accounts.queries.standing import Person
    from zena.kit.db import Raw

__all__ = ["app"]

T = TypeVar("T")
Whom = Annotated[str, typer.Argument(help="The person's address, or the id that stands in log lines.")]
Address = Annotated[list[str] | None, typer.Option("--ip", help="A network address they try from; may be repeated.")]


@app.command()
def show(email: Whom) -> None:
    """Show an account: firms and roles, last sign-in, second factor, open sessions. Nothing secret.

    Example: zena user show lan@meridian.example
    """

    async def read(_conn: "Raw", person: "Person", _secret: bytes) -> dict[str, Any]:
        return _shown(person)

    found = _with_person(email, read)
    lines = [f"{name:<16}{_plain(value)}" for name, value in found.items() if name != "firms"]
    lines += [
        f"{'firm':<16}{firm['slug']} ({firm['status']}): {firm['role']}" + _ended(firm) for firm in found["firms"]
    ]
    say(found, "\n".join(lines))


@app.command()
def activate(email: Whom) -> None:
    """Let a deactivated person sign in again. Their old sessions stay ended.

    Example: zena user activate lan@meridian.example
    """
    from zena.accounts.actions.standing import activate as run
    from zena.kit.changes import record

    async def work(conn: "Raw", person: "Person", _secret: bytes) -> bool:
        changed = await run(conn, person)
        await record(conn, "remedy", "user activate", after={"user": person.id})
        return changed

    changed = _with_person(email, work)
    say({"email": email, "changed": changed}, f"{email} " + ("may sign in again" if changed else "was active already"))


@app.command()
def deactivate(
    email: Whom,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
) -> None:
    """Shut a person out of all firms at once, and end their sessions and links; --yes does it.

    What they wrote stays, and so do their memberships.

    Example: zena user deactivate lan@meridian.example --yes
    """
    from zena.accounts.actions.standing import deactivate as run
    from zena.kit.changes import record

    async def work(conn: "Raw", person: "Person", _secret: bytes) -> bool:
        if not yes:
            raise CommandError(f"{_what_ends(person)}; nothing was changed, add --yes to do it", Exit.USAGE)
        changed = await run(conn, person)
        await record(conn, "remedy", "user deactivate", after={"user": person.id})
        return changed

    changed = _with_person(email, work)
    say({"email": email, "changed": changed}, f"{email} " + ("is shut out" if changed else "was deactivated already"))


@app.command()
def unlock(email: Whom, ip: Address = None) -> None:
    """Forget a person's wrong passwords and codes, so that they may try at once.

    Known are the addresses of their past sessions; --ip names another, and also frees everybody who tries from it.

    Example: zena user unlock lan@meridian.example --ip 203.0.113.7
    """
    from zena.accounts.actions.standing import unlock as run
    from zena.kit.changes import record

    async def work(conn: "Raw", person: "Person", secret: bytes) -> int:
        gone = await run(conn, person, secret, ip or [])
        await record(conn, "remedy", "user unlock", after={"user": person.id, "counters": gone})
        return gone

    gone = _with_person(email, work)
    say({"email": email, "counters": gone}, f"{email} may try at once; {gone} counters forgotten")


def _with_person(email: str, work: "Callable[[Raw, Person, bytes], Awaitable[T]]") -> T:
    from zena.accounts.queries.standing import person_at
    from zena.cli.shell import connected
    from zena.kit.text import email_address
    from zena.settings import load_keys

    known, secret = _id(email), load_keys(connected(Role.OPS)).oldest.secret
    wanted = email_address(email) if known is None else None

    async def run(conn: "Raw") -> T:
        address = wanted or await conn.fetchval("SELECT email FROM user_account WHERE id = $1", known)
        person = await person_at(conn, secret, address) if address else None
        if person is None:
            raise CommandError(f"nobody has the {'address' if wanted else 'id'} {wanted or known}", Exit.DATA)
        return await work(conn, person, secret)

    return ask_as(Role.OPS, run)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _shown(person: "Person") -> dict[str, Any]:
    facts = person.facts
    names = ("is_active", "is_operator", "created_at", "last_login_at", "sessions", "recovery_codes")
    return {
        "email": person.email,
        "name": person.name,
        "id": person.id,
        **{name: facts[name] for name in names},
        "password": "chosen" if facts["password_hash"] else "none chosen yet",
        "second_factor": "on" if facts["totp_confirmed_at"] else "off",
        "firms": person.firms,
    }


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "hour") else str(value)


def _ended(firm: dict[str, Any]) -> str:
    owner = ", the only active owner" if firm["last_owner"] else ""
    return f", ended {firm['ended_at']:%Y-%m-%d}" if firm["ended_at"] else owner


def _what_ends(person: "Person") -> str:
    firms = ", ".join(firm["slug"] for firm in person.firms if firm["ended_at"] is None) or "no firm"
    owners = "".join(f"; {slug} has no other active owner" for slug in person.last_owner_of)
    return f"this would shut {person.name} out of {firms}, end {person.facts['sessions']} sessions{owners}"
