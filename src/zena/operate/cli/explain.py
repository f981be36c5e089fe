"""`zena db explain`: the plan the application gets, for one firm."""

import sys
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from zena.cli import CommandError, ask_as, say
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.operate.database.plans import Plan


def explain(
    sql: Annotated[str, typer.Argument(help="One SELECT with $1, $2 as placeholders; - reads it from standard input.")],
    tenant: Annotated[str, typer.Option(help="Short name or id of the firm.")],
) -> None:
    """Show how the database would find the rows for the application; nothing is executed.

    Example: zena db explain "SELECT id FROM task WHERE tenant_id = $1 AND project_id = $2" --tenant acme
    """
    statement = sys.stdin.read() if sql == "-" else sql
    firm = ask_as(Role.APP, lambda conn: _tenant(conn, tenant))
    plan, nudged, marks = ask_as(Role.APP, lambda conn: _held(conn, statement, firm))
    found = ask_as(Role.OPS, lambda conn: _free(conn, statement, firm, nudged))
    told = {"plan": plan.tree, "marks": [*marks, *found]}
    say(told, "\n".join([*plan.text, *(f"! {mark}" for mark in told["marks"])]))


async def _tenant(conn: "Raw", name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        found: UUID | None = await conn.fetchval("SELECT gate.tenant_by_slug($1)", name)
    if found is None:
        raise CommandError(f"there is no firm {name!r}: `zena tenant list` names them", Exit.DATA)
    return found


async def _held(conn: "Raw", sql: str, tenant: UUID) -> "tuple[Plan, Plan, list[str]]":
    from zena.operate.database.plans import marks

    plan = await _told(conn, sql, tenant)
    return plan, await _told(conn, sql, tenant, through_indexes=True), await marks(conn, plan)


async def _free(conn: "Raw", sql: str, tenant: UUID, held: "Plan") -> list[str]:
    from zena.operate.database.plans import held_back

    return await held_back(conn, held, await _told(conn, sql, tenant, through_indexes=True))


async def _told(conn: "Raw", sql: str, tenant: UUID, **options: Any) -> "Plan":
    import asyncpg

    from zena.operate.database.plans import NotASelect, plan_of

    try:
        return await plan_of(conn, sql, tenant, **options)
    except NotASelect as error:
        raise CommandError("only one SELECT is explained", Exit.USAGE) from error
    except (asyncpg.SyntaxOrAccessError, asyncpg.DataError, asyncpg.FeatureNotSupportedError) as error:
        code = Exit.PERMISSION if isinstance(error, asyncpg.InsufficientPrivilegeError) else Exit.USAGE
        raise CommandError(f"the database refuses this statement: {error}", code) from error
