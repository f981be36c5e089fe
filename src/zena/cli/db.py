"""`zena db`: reaching and preparing the database."""

from typing import TYPE_CHECKING, Annotated

import typer

from zena.cli.output import CommandError, say
from zena.kit.exits import Exit
from zena.kit.roles import DATABASE, bootstrap_sql

if TYPE_CHECKING:
    from zena.settings import Role

app = typer.Typer(help="The database: connection, health, set-up.", no_args_is_help=True)

RoleOption = Annotated[str, typer.Option("--role", help="app, owner, ops, ops_read or backup.")]


@app.command()
def url(role: RoleOption = "app") -> None:
    """Print the connection URL of the running database, password included, for psql and the like.

    Exit 69 when no database runs in the data directory, 78 when the URL of this
    role is not configured.

    Example: psql "$(zena db url --role ops_read)"
    """
    from zena.cli.shell import connected

    wanted = _role(role)
    found = connected(wanted).dsn(wanted)
    say({"role": role, "url": found}, found)


@app.command()
def ping(role: RoleOption = "app") -> None:
    """Connect and ask one question.

    Prints the server's version, the role and how long the answer took. Exit 69
    when nothing answers.

    Example: zena db ping --role owner
    """
    import asyncio

    from zena.cli.shell import connected

    wanted = _role(role)
    answer = asyncio.run(_ask(connected(wanted).dsn(wanted)))
    say(answer, f"ok: PostgreSQL {answer['server']} as {answer['user']}, {answer['milliseconds']} ms")


@app.command()
def bootstrap(
    print_sql: Annotated[
        bool, typer.Option("--print-sql", help="Print the script for a database administrator.")
    ] = False,
    database: Annotated[str, typer.Option(help="Name of the database to make.")] = DATABASE,
) -> None:
    """Print the psql script that makes the roles and the empty database; passwords are psql variables.

    Nothing is connected to and nothing is changed: whoever runs the script with
    psql decides.

    Example: zena db bootstrap --print-sql > zena.sql
    """
    if not print_sql:
        raise CommandError("nothing was done: add --print-sql, read the script, and run it with psql", Exit.USAGE)
    try:
        script = bootstrap_sql(database)
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    say({"sql": script}, script.rstrip())


def _role(name: str) -> "Role":
    from zena.settings import Role

    try:
        return Role(name)
    except ValueError as error:
        raise CommandError(f"there is no role {name!r}: {', '.join(Role)}", Exit.USAGE) from error


async def _ask(dsn: str) -> dict[str, str | float]:
    import time

    import asyncpg

    from zena.kit.db import asyncpg_dsn

    connection = await asyncpg.connect(asyncpg_dsn(dsn), timeout=5, command_timeout=5, statement_cache_size=0)
    try:
        started = time.perf_counter()
        async with connection.transaction():  # behind a pooler, what is prepared lasts no longer
            row = await connection.fetchrow("SELECT current_setting('server_version') AS server, current_user AS name")
        took = round((time.perf_counter() - started) * 1000, 1)
    finally:
        await connection.close(timeout=5)
    return {"server": row["server"], "user": row["name"], "milliseconds": took}
