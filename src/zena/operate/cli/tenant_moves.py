"""`zena tenant export|import|delete`: taking one firm along, bringing it in, and erasing it."""

from collections.abc import Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zena.cli import CommandError, in_state, say
from zena.cli.shell import hooks, require
from zena.kit.exits import Exit
from zena.operate.cli.tenants import Slug
from zena.settings import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from zena.kit.state import State
    from zena.operate.tenants.exporting import Exported
    from zena.operate.tenants.firms import Firm
    from zena.operate.tenants.importing import Brought

app = typer.Typer(help="Firms: export, import, delete.", no_args_is_help=True, add_completion=False)

T = TypeVar("T")


@app.command()
def export(
    tenant: Slug,
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
) -> None:
    """Write everything of one firm into a file, sealed with the backup key: rows, files, people by address.

    API tokens and passwords are not in it. Exit 1 when files of the firm are
    missing or damaged: they are named and left out. Exit 75 while a backup is made.

    Example: zena tenant export meridian-works --out /mnt/meridian.zbk
    """

    async def work(state: "State") -> "Exported":
        from zena.operate.tenants.exporting import export as write

        return await write(state, tenant, out.absolute(), state.clock.now())

    made = _refusable(work)
    say(_facts_of(made), _about(made))
    raise typer.Exit(Exit.FINDING if made.damaged else Exit.OK)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `zena tenant export` has written.")],
    slug: Annotated[str | None, typer.Option("--as", help="Another short name than the firm had.")] = None,
) -> None:
    """Bring a firm in from its export. Where it still exists, a copy is made under new ids.

    Members are matched by address; who has no account gets one without a
    password (`zena user reset-link` makes the link). Exit 1 when something in
    the firm is not whole, 65 when the file is damaged or the short name taken.

    Example: zena tenant import /mnt/meridian.zbk --as meridian-2
    """

    async def work(state: "State") -> "Brought":
        from zena.accounts.facade import check_slug
        from zena.kit.changes import here
        from zena.kit.posture import head_on_disk
        from zena.operate.tenants.importing import bring_in

        wanted = check_slug(slug) if slug else None
        head = head_on_disk(hooks().migrations)
        return await bring_in(state, file.absolute(), slug=wanted, head=head, actor=here())

    if not file.is_file():
        raise CommandError(f"there is no file {file}", Exit.DATA)
    _tell_brought(_refusable(work))


@app.command()
def delete(
    tenant: Slug,
    confirm: Annotated[str, typer.Option(help="The short name once more; nothing is deleted without it.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
    no_export: Annotated[bool, typer.Option("--no-export", help="Keep no export of it.")] = False,
) -> None:
    """Erase a firm: every row, every file, and people who are in no other firm. Not to be undone.

    Says first what would go. An export is written beside the backups before, and
    brings the firm back while you keep it. Interrupted, it goes on when called again.

    Example: zena tenant delete meridian-works --confirm meridian-works --yes
    """

    async def work(state: "State") -> dict[str, Any]:
        firm, rows = await _what_goes(state, tenant)
        if not yes or confirm != firm.slug:
            told = ", ".join(f"{many} {name}" for name, many in rows.items())
            want = f"add --confirm {firm.slug} --yes to do it"
            message = f"this would erase {firm.name} ({firm.slug}): {told}; nothing was changed, {want}"
            raise CommandError(message, Exit.USAGE, counts=rows)
        return await _delete(state, firm, keep=not no_export)

    done = _refusable(work)
    export_ = done["export"]
    lines = [
        f"erased {tenant}: " + ", ".join(f"{many} {name}" for name, many in done["counts"].items()),
        f"an export of it stands in {export_}; remove it when it is no longer wanted"
        if export_
        else "no export is kept",
        "what remains is a line of counts without names (table ops.erasure), and one in erased.list beside the backups",
        f"backups made before hold the firm: the last of them goes about {done['backups_until']:%Y-%m-%d}",
        "a restore of one erases it again; keep erased.list with copies of the backups",
    ]
    say(done, "\n".join(lines))


async def _what_goes(state: "State", slug: str) -> "tuple[Firm, dict[str, int]]":
    from zena.kit.db import raw
    from zena.kit.uow import unit_of_work
    from zena.operate.sessions import operations
    from zena.operate.tenants.firms import firm_called
    from zena.operate.tenants.tables import counts

    async with operations(state) as db, unit_of_work(db) as session:
        firm = await firm_called(session, slug)
        return firm, await counts(await raw(session), firm.id)


async def _delete(state: "State", firm: "Firm", *, keep: bool) -> dict[str, Any]:
    from zena.kit.changes import here
    from zena.operate.tenants import erasing
    from zena.operate.tenants.exporting import export as write

    now, kept = state.clock.now(), None
    begun = await erasing.begin(state, firm, here())
    if keep and not begun.exported:
        out = state.settings.backups_path / f"firm-{firm.slug}-{now:%Y%m%dT%H%M%SZ}.zbk"
        made = await write(state, firm.slug, out, now)
        if made.damaged:
            raise CommandError(
                f"{len(made.damaged)} files are missing or damaged, so the export in {out} is not whole; the firm is"
                " closed, and nothing was erased: --no-export goes on without it",
                Exit.FINDING,
                damaged=made.damaged,
            )
        kept = str(out)
    await erasing.exported(state, firm)
    counts = await erasing.erase(state, firm.id)
    until: datetime = now + timedelta(days=state.settings.backup_keep)
    return {"tenant": str(firm.id), "export": kept, "counts": counts, "backups_until": until}


def _refusable(work: "Callable[[State], Coroutine[Any, Any, T]]") -> T:
    """Run with the parts of a process and the operations role; what is refused ends the command with its reason."""
    from zena.operate.backup.refusal import Refused

    async def run(state: "State") -> T:
        require(state.settings, Role.OPS)
        return await work(state)

    try:
        return in_state(run)
    except Refused as refused:
        raise CommandError(str(refused), refused.code) from refused


def _facts_of(made: "Exported") -> dict[str, Any]:
    manifest = made.manifest
    return {
        "file": str(made.path),
        "bytes": made.path.stat().st_size,
        "rows": manifest.rows,
        "files": manifest.files,
        "people": len(manifest.firm.people) if manifest.firm else 0,
        "tables": {name.removeprefix("public."): table.rows for name, table in manifest.tables.items()},
        "damaged": made.damaged,
        "new_key": made.new_key,
    }


def _about(made: "Exported") -> str:
    facts = _facts_of(made)
    lines = [f"{made.path}: {facts['rows']} rows, {facts['files']} files, {facts['people']} people"]
    lines += [f"! left out, missing or damaged: {key}" for key in made.damaged]
    if made.new_key:
        lines.append("keep a copy of the backup key elsewhere: without it no export can be opened")
    return "\n".join(lines)


def _tell_brought(brought: "Brought") -> None:
    import msgspec

    how = "as a copy under new ids; its record was linked anew" if brought.is_copy else "under its own ids"
    lines = [f"{brought.slug} is here, {how}: {brought.rows} rows, {brought.files} files"]
    lines += [f"made an account without a password: {email}" for email in brought.new_people]
    lines += [f"! {one.check}: {one.subject}: {', '.join(one.sample)}" for one in brought.findings]
    say(msgspec.to_builtins(brought), "\n".join(lines))
    raise typer.Exit(Exit.FINDING if brought.findings else Exit.OK)
