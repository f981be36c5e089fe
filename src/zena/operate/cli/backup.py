"""`zena backup`: make one, prove one, put one back. What is listed was restored once, for proof."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from zena.cli import CommandError, say, settings, table
from zena.cli.shell import hooks
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.archives import chosen, facts_of, replace_processes, row_of, sized, summary_of, with_database
from zena.settings import Role

app = typer.Typer(help="Backups: create, verify, restore, list.", no_args_is_help=True)

ArchiveArgument = Annotated[str, typer.Argument(help="`latest`, a name from the list, or a path.")]


@app.command()
def create() -> None:
    """Back up database, files and keys; it counts once it was restored into a database of its own.

    Example: zena backup create
    """
    from zena.operate.backup.making import create as make

    now = SystemClock().now()
    made = with_database(lambda found: make(found, now), Role.BACKUP, Role.OPS)
    took = (SystemClock().now() - now).total_seconds()
    facts = facts_of(made.manifest) | {
        "archive": str(made.kept.path),
        "bytes": made.kept.size,
        "seconds": round(took, 1),
    }
    text = f"{made.kept.path}\n{summary_of(made.manifest)}, {sized(made.kept.size)}, restored for proof, {took:.1f} s"
    text += "".join(f"\nremoved {path.name}, past ZENA_BACKUP_KEEP" for path in made.removed)
    if made.new_key:
        text += f"\nkeep a copy of {settings().backup_key_path} elsewhere: without it no backup can be opened"
    say(facts | {"removed": [path.name for path in made.removed], "new_key": made.new_key}, text)


@app.command(name="list")
def list_() -> None:
    """List the backups, newest first, with their age and what they hold; `base-` ones are for `rewind`.

    Example: zena backup list --json
    """
    from zena.operate.backup.shelf import BASES, DUMPS, kept

    found = settings()
    there = [one for kind in (DUMPS, BASES) for one in kept(found.backups_path, kind)]
    rows = [row_of(found, one.path, one.at, one.size) for one in sorted(there, key=lambda one: one.at, reverse=True)]
    table(rows, ["archive", "age", "size", "release", "revision", "rows", "files", "note"])


@app.command()
def verify(archive: ArchiveArgument = "latest") -> None:
    """Restore a backup into a database of its own, compare every table and file, and drop it again.

    Example: zena backup verify latest
    """
    from zena.kit.posture import head_on_disk
    from zena.operate.backup.proving import verify as prove

    path, head = chosen(archive), head_on_disk(hooks().migrations)
    manifest = with_database(lambda found: prove(found, path, head=head), Role.BACKUP, Role.OPS)
    say(
        facts_of(manifest) | {"archive": str(path), "ok": True},
        f"ok: {path.name}, {summary_of(manifest)}, came back whole",
    )


@app.command()
def restore(
    archive: ArchiveArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Put it in the place of the database in use.")] = False,
) -> None:
    """Restore a backup into a new database, check it, and swap; the former one is kept under another name.

    Example: zena backup restore latest --yes
    """
    from zena.cli.schema import upgraded
    from zena.kit.posture import head_on_disk
    from zena.operate.backup.restoring import restore as put_back
    from zena.operate.tenants.again import erase_again

    path, head, now = chosen(archive), head_on_disk(hooks().migrations) or "", SystemClock().now()
    if not yes:
        _show_first(path)
    done = with_database(
        lambda found: put_back(
            found, path, now, head=head, upgrade=lambda new: upgraded(new, hooks().migrations), erase_again=erase_again
        ),
        Role.BACKUP, Role.OPS, Role.OWNER,
    )  # fmt: skip
    replaced = replace_processes(settings())
    text = (
        f"restored {path.name}: {summary_of(done.manifest)}; {done.files} files were laid back; everybody signs in anew"
    )
    text += f"\nthe former database is kept as {done.former} until the next restore" if done.former else ""
    text += _erased(done.erased)
    text += "\nthe processes of `zena serve` are being replaced" if replaced else ""
    facts = {"former": done.former, "files_laid_back": done.files, "replaced": replaced, "erased_again": done.erased}
    say(facts_of(done.manifest) | facts, text)


@app.command()
def undo(
    yes: Annotated[bool, typer.Option("--yes", help="Give the former database its place again.")] = False,
) -> None:
    """Take the last restore back: the former database and the one in use change places. Undo that to return.

    Example: zena backup undo --yes
    """
    from zena.cli.schema import upgraded
    from zena.kit.posture import head_on_disk
    from zena.operate.backup.restoring import undo as change_back
    from zena.operate.tenants.again import erase_again

    if not yes:
        raise CommandError("the former database would take its place again; nothing was changed, add --yes", Exit.USAGE)
    head, now = head_on_disk(hooks().migrations) or "", SystemClock().now()
    name, erased = with_database(
        lambda found: change_back(
            found, now, head=head, upgrade=lambda new: upgraded(new, hooks().migrations), erase_again=erase_again
        ),
        Role.BACKUP, Role.OPS, Role.OWNER,
    )  # fmt: skip
    replaced = replace_processes(settings())
    text = f"the former database is in use again; the other is kept as {name}{_erased(erased)}"
    say({"former": name, "replaced": replaced, "erased_again": erased}, text)


@app.command()
def base() -> None:
    """Copy the running embedded server; with the log kept since, `rewind` goes back to any moment after.

    Example: zena backup base
    """
    from zena.operate.backup.base import make_base

    now = SystemClock().now()
    made = with_database(lambda found: make_base(found, now), Role.BACKUP, Role.OPS)
    say({"archive": str(made.path), "bytes": made.size}, f"{made.path}\n{sized(made.size)}, started for proof")


@app.command()
def rewind(
    to: Annotated[datetime | None, typer.Option(help="A moment, UTC; without it as far as the log goes.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Put it in the place of the database in use.")] = False,
) -> None:
    """Go back to a moment with the last base backup before it; Zena must not run.

    Example: zena backup rewind --to 2026-03-01T14:05:00 --yes
    """
    from zena.kit.posture import head_on_disk
    from zena.operate.backup.refusal import Refused
    from zena.operate.backup.rewinding import rewind as go_back
    from zena.operate.tenants.again import erase_again

    now, moment = SystemClock().now(), to.replace(tzinfo=UTC) if to else None
    if not yes:
        raise CommandError("this would replace the whole database; nothing was changed, add --yes", Exit.USAGE)
    try:
        head = head_on_disk(hooks().migrations) or ""
        former, erased = go_back(settings(), now, to=moment, head=head, erase_again=erase_again)
    except Refused as refused:
        raise CommandError(str(refused), refused.code) from refused
    text = f"the database of {moment or 'the last moment in the log'} is in place; start Zena, then `zena backup base`"
    text += f"\nthe former one is kept in {former}: remove it when all is well{_erased(erased)}"
    say({"former": str(former), "to": moment, "erased_again": erased}, text)


def _erased(firms: list[UUID]) -> str:
    if not firms:
        return ""
    return f"\nfirms that were deleted since were erased from it again: {', '.join(map(str, firms))}"


def _show_first(path: Path) -> None:
    """Say what would be replaced by what, and stop."""
    from zena.operate.backup.contents import counts

    found = row_of(settings(), path, None, path.stat().st_size)
    if found["note"]:
        raise CommandError(found["note"], Exit.DATA)
    present = with_database(lambda found: counts(found.dsn(Role.BACKUP)), Role.BACKUP)
    there = ", ".join(
        f"{present.get(name, 0)} rows of {name}" for name in ("tenant", "user_account", "project", "task")
    )
    raise CommandError(
        f"this would put {path.name} of {found['created']}, {found['rows']} rows, in the place of the database in use "
        f"({there}); nothing was changed, add --yes to do it",
        Exit.USAGE,
        present=present,
    )
