"""Commands about firms and people: `zena tenant`, `zena user`, `zena operator`. Nobody's password is ever set here."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, in_state, say, table
from zena.kit.exits import Exit

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.kit.state import State

tenant = typer.Typer(help="Firms: found one, list them.", no_args_is_help=True, add_completion=False)
user = typer.Typer(
    help="People: make an account, a link for a forgotten password.", no_args_is_help=True, add_completion=False
)
operator = typer.Typer(help="Staff of this installation.", no_args_is_help=True, add_completion=False)

Email = Annotated[str, typer.Argument(help="The person's address.")]


@tenant.callback()
def _tenant() -> None:
    """Firms: found one, list them."""


@operator.callback()
def _operator() -> None:
    """Staff of this installation: they see operations, not what firms work on."""


@tenant.command("create")
def create_tenant(
    name: Annotated[str, typer.Argument(help="The firm's name.")],
    owner: Annotated[str, typer.Option(help="Address of its owner; must have an account.")],
    slug: Annotated[str | None, typer.Option(help="Short name in addresses; made from the name otherwise.")] = None,
    timezone: Annotated[str, typer.Option(help="Time zone.")] = "Asia/Ho_Chi_Minh",
    locale: Annotated[str, typer.Option(help="Language: en or vi.")] = "en",
    currency: Annotated[str, typer.Option(help="Currency code.")] = "VND",
) -> None:
    """Found a firm for somebody who has an account.

    Prints its name and its short name. Exit 65 when nobody has the owner's
    address or the short name is taken.

    Example: zena tenant create "Meridian Works" --owner an.nguyen@meridian.example --currency EUR
    """

    async def work(state: "State") -> dict[str, str]:
        from zena.accounts.actions.firms import create_tenant as found
        from zena.accounts.queries.people import user_by_email
        from zena.kit.text import email_address
        from zena.kit.uow import unit_of_work

        async with unit_of_work(state.db) as session:
            person = await user_by_email(session, email_address(owner, "owner"))
            if person is None:
                raise CommandError(f"nobody has the address {owner}: `zena user create` first", Exit.DATA)
            scope = await found(
                session,
                name=name,
                owner=person,
                at=state.clock.now(),
                slug=slug,
                timezone=timezone,
                locale=locale,
                currency=currency,
            )
        return {"id": str(scope.tenant), "slug": scope.tenant_slug, "name": scope.tenant_name}

    made = in_state(work)
    say(made, f"founded {made['name']} ({made['slug']})")


@tenant.command("list")
def list_tenants() -> None:
    """List the firms of this installation: short name, name, status, members, and since when.

    Exit 69 when no database runs, 78 when ZENA_DATABASE_OPS_URL is missing
    beside ZENA_DATABASE_URL.

    Example: zena tenant list --json
    """
    rows = _as_operations(
        "SELECT t.slug, t.name, t.status, t.created_at::date AS since, (SELECT count(*) FROM membership m"
        " WHERE m.tenant_id = t.id AND m.ended_at IS NULL) AS members FROM tenant t"
        " WHERE t.plan <> 'probe' ORDER BY t.slug"
    )
    table(rows, ["slug", "name", "status", "members", "since"])


@user.command("create")
def create_user(
    email: Email,
    name: Annotated[str, typer.Option(help="The person's name.")],
    firm: Annotated[str | None, typer.Option("--tenant", help="Short name of a firm to add them to.")] = None,
    role: Annotated[str | None, typer.Option(help="Their role there; member unless said otherwise.")] = None,
) -> None:
    """Make an account, and add its owner to a firm if one is named.

    Prints the link by which the person chooses a password, good for 30 minutes.
    Exit 65 when the address has an account already or there is no such firm.

    Example: zena user create lan@meridian.example --name "Lan Phạm" --tenant meridian-works --role pm
    """
    if role is not None and firm is None:
        raise CommandError("--role is a role in a firm: name it with --tenant", Exit.USAGE)

    async def work(state: "State") -> str | None:
        from zena.accounts.facade import create_user as make
        from zena.accounts.facade import issue_reset_link
        from zena.kit.uow import unit_of_work

        async with unit_of_work(state.db) as session:
            person = await make(session, email=email, name=name)
            if firm:
                await _join(state, session, person, firm, role or "member")
        return await issue_reset_link(state.db, state.settings.public_url, email)

    link = in_state(work)
    say({"email": email, "link": link}, f"made; within 30 minutes {email} chooses a password at\n{link}")


@user.command("reset-link")
def reset_link(email: Email) -> None:
    """Print a one-time link by which somebody chooses a new password; their second factor stays.

    The link is good for 30 minutes. Exit 65 when nobody active has the address.

    Example: zena user reset-link lan@meridian.example
    """

    async def work(state: "State") -> str | None:
        from zena.accounts.facade import issue_reset_link
        from zena.kit.text import email_address

        return await issue_reset_link(state.db, state.settings.public_url, email_address(email))

    link = in_state(work)
    if link is None:
        raise CommandError(f"nobody active has the address {email}", Exit.DATA)
    say({"email": email, "link": link}, link)


@operator.command("create")
def create_operator(email: Email) -> None:
    """Make somebody who has an account an operator.

    Prints who it is. Exit 65 when nobody has the address.

    Example: zena operator create lan@meridian.example
    """
    from zena.kit.text import email_address

    address = email_address(email)
    made = _as_operations("UPDATE user_account SET is_operator = true WHERE email = $1 RETURNING email", address)
    if not made:
        raise CommandError(f"nobody has the address {address}: `zena user create` first", Exit.DATA)
    say({"email": address}, f"{address} is an operator")


async def _join(state: "State", session: Any, person: Any, firm: str, role: str) -> None:
    """Add a new person to a firm, in the name of the system: the operator at the keyboard decides."""
    from sqlalchemy import text

    from zena.accounts.facade import add_member
    from zena.accounts.permissions import Role
    from zena.kit.scope import Scope

    if role not in set(Role):
        raise CommandError(f"there is no role {role!r}: {', '.join(Role)}", Exit.USAGE)
    found = await session.scalar(text("SELECT gate.tenant_by_slug(:slug)"), {"slug": firm})
    if found is None:
        raise CommandError(f"there is no firm {firm!r}: `zena tenant list` shows them", Exit.DATA)
    system = Scope(
        tenant=found,
        member=None,
        user=None,
        role="system",
        permissions=frozenset(),
        timezone="UTC",
        at=state.clock.now(),
    )
    await add_member(session, system, user=person, role=role)


def _as_operations(sql: str, *values: object) -> list[dict[str, Any]]:
    """Run one statement over all firms, as the role for operations."""
    from zena.settings import Role

    async def run(conn: "Raw") -> list[dict[str, Any]]:
        return [dict(row) for row in await conn.fetch(sql, *values)]

    return ask_as(Role.OPS, run, checked=True)
