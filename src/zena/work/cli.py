"""`zena import` and `zena demo`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from zena.kit.db import Raw
    from zena.kit.scope import Scope
    from zena.kit.state import State
    from zena.work.imports.plan import Plan

import_app = typer.Typer(help="Bring tasks in from a CSV or Excel file.", add_completion=False)
demo_app = typer.Typer(help="Load the demonstration firm.", add_completion=False)


@import_app.command()
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX file.")],
    project: Annotated[str, typer.Option(help="Key of the project, such as HBR.")],
    tenant: Annotated[str | None, typer.Option(help="Short name of the firm; needed where there are several.")] = None,
    user: Annotated[
        str | None, typer.Option("--as", help="Address of the member in whose name; default an owner.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="COLUMN=WHAT, to say what a column is; repeatable.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only; change nothing.")] = False,
) -> None:
    """Import tasks. Everything or nothing: with any mistake nothing changes.

    Prints how many tasks and dependencies were made. Mistakes are named on
    stderr by line and column, exit 65; 65 too where there is no such project,
    firm or member; 74 where the file cannot be read, 77 where it may not.

    Example: zena import --project HBR plan.csv --column "Bauteil=labels"
    """
    from zena.cli.output import say
    from zena.cli.shell import in_state, settings

    mapping = dict(_pair(text) for text in column or [])
    content = _content(file, settings().import_max_bytes)

    async def work(state: "State") -> "tuple[Plan, int]":
        return await _import(state, content, project, (tenant, user), mapping, dry_run=dry_run)

    found, made = in_state(work, worker=True)
    if found.mistakes:
        _refuse(found)
    done = "would be imported" if dry_run else "imported"
    say({"tasks": made, "dependencies": found.links}, f"{made} tasks and {found.links} dependencies {done}")


@demo_app.command()
def demo(
    tasks: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Also add a project of so many tasks.")
    ] = None,
) -> None:
    """Make the demonstration firm, once; with --tasks, also a project of that size.

    Prints the address of the firm's owner. Run again, it changes nothing and
    prints the same.

    Example: zena demo --tasks 100000
    """
    from zena.cli.output import say
    from zena.cli.shell import in_state
    from zena.work.demo.load import load_demo

    async def work(state: "State") -> str:
        return await load_demo(state.db, at=state.clock.now(), tasks=tasks)

    owner = in_state(work, worker=True)
    say({"owner": owner}, f"The demonstration firm is there; its owner is {owner}.")


async def _import(
    state: "State",
    content: bytes,
    project: str,
    who: tuple[str | None, str | None],
    mapping: dict[str, str],
    *,
    dry_run: bool,
) -> "tuple[Plan, int]":
    from zena.kit.db import raw
    from zena.kit.uow import unit_of_work
    from zena.work.imports.actions import apply_file
    from zena.work.imports.columns import check_mapping, guess
    from zena.work.imports.table import read_table

    table = read_table(content, max_rows=state.settings.import_max_rows)
    places = check_mapping(table.header, {**guess(table.header), **mapping})
    async with unit_of_work(state.db) as session:
        scope = await _actor(session, state, *who)
        into = await _project(await raw(session), scope, project)
        found = await apply_file(session, scope, project_id=into.id, table=table, places=places, dry_run=dry_run)
    return found, len(found.tasks)


async def _actor(session: "AsyncSession", state: "State", tenant: str | None, email: str | None) -> "Scope":
    """Return in whose name the command acts: the member named, else the firm's first owner."""
    from zena.accounts.facade import command_actor

    return await command_actor(session, tenant=tenant, email=email, at=state.clock.now())


async def _project(conn: "Raw", scope: "Scope", key: str) -> Any:
    from zena.kit.errors import NotFound
    from zena.work.queries.pages import project_by_key

    try:
        return await project_by_key(conn, scope, key)
    except NotFound as error:
        raise NotFound(f"{scope.tenant_name} has no project {key!r}", code=error.error_code) from error


def _content(file: Path, most: int) -> bytes:
    """Return what the file holds; OSError if it cannot be read, refused before that if it is too large."""
    from zena.cli.output import CommandError

    with file.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise CommandError(f"{file} is larger than ZENA_IMPORT_MAX_BYTES, {most} bytes")
    return content


def _refuse(found: "Plan") -> NoReturn:
    """Name each mistake on stderr, or all of them in the one JSON object of --json, and end with 65."""
    from zena.cli.output import MODE, CommandError

    for error in () if MODE.json else found.errors:
        typer.echo(f"line {error.line}, {error.column}: {error.message} [{error.code}] {error.value}", err=True)
    mistakes = "1 mistake" if found.mistakes == 1 else f"{found.mistakes} mistakes"
    raise CommandError(f"{mistakes}; nothing was changed", errors=_plain(found.errors))


def _pair(text: str) -> tuple[str, str]:
    name, sign, target = text.rpartition("=")
    if not sign:
        raise typer.BadParameter("write COLUMN=WHAT", param_hint="--column")
    return name, target


def _plain(errors: Any) -> list[dict[str, Any]]:
    import msgspec

    return [{**msgspec.structs.asdict(error), "message": str(error.message)} for error in errors]
