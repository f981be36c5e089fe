"""`zena keys`: the rings of keys, a new key in place of an old one, and the old one's end."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zena.cli import CommandError, say, settings, table
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.archives import with_database
from zena.settings import Role

if TYPE_CHECKING:
    from zena.accounts.facade import Resealed
    from zena.operate.keys.rings import Name, Standing
    from zena.settings import Settings

app = typer.Typer(help="Keys of the installation: list, rotate, retire.", no_args_is_help=True, add_completion=False)

RingOption = Annotated[
    Literal["secret", "backup"], typer.Option("--ring", help="secret, or backup: what seals archives.")
]


@app.command("list")
def list_() -> None:
    """List the keys of both rings, newest first, and what is sealed under each; never the keys themselves.

    Exit 1 when something is sealed under a key that is gone.

    Example: zena keys list
    """
    found = settings()
    rows = [_row(one) for one in _standing(found)]
    if not rows:
        print(f"there is no key ring {found.keys_path} yet: the first start makes it", file=sys.stderr)
    table(rows, ["ring", "key", "state", "count", "sealed"])
    if any(row["state"] == "gone" for row in rows):
        raise typer.Exit(Exit.FINDING)


@app.command()
def rotate(
    ring: RingOption = "secret",
    reencrypt: Annotated[
        bool, typer.Option("--reencrypt", help="Then seal anew what is sealed under older keys.")
    ] = False,
    print_: Annotated[
        bool, typer.Option("--print", help="Only print a fresh line for a ring that is kept elsewhere.")
    ] = False,
) -> None:
    """Put a fresh key in use; the processes take it up at once, and the older keys go on opening what they sealed.

    Nobody is signed out, no link or code stops working. Exit 78 where the
    file of the ring is not ours to change.

    Example: zena keys rotate --reencrypt
    """
    from zena.operate.keys import rings
    from zena.settings import new_line

    line = new_line()
    if print_:
        say({"line": line.strip()}, line.strip())
        return
    if reencrypt and ring == "backup":
        raise CommandError("--reencrypt: archives are not written anew; older ones age out", Exit.USAGE)
    _check_there(ring)

    async def work(found: "Settings") -> "Resealed | None":
        await rings.rotate(found, ring, line)
        return await rings.reencrypt(found) if reencrypt else None

    done = with_database(work, Role.OPS)
    name = line.partition(" ")[0]
    says = [f"{name} is the current key of the ring {ring}"]
    if ring == "backup":
        says.append("copy its file away again: archives made from now on open with this key alone")
    elif done is None:
        says.append("`zena keys reencrypt` brings what is sealed under older keys under it")
    else:
        says.append(_said(done))
    say({"ring": ring, "key": name, **_counts(done)}, "\n".join(says))


@app.command()
def reencrypt() -> None:
    """Seal seeds and recovery codes that are under older keys under the current one, some people at a time.

    May be broken off and called again. Exit 1 when something opens under no
    key of the ring; it stays as it is.

    Example: zena keys reencrypt
    """
    from zena.operate.keys import rings

    _check_there("secret")
    done = with_database(rings.reencrypt, Role.OPS)
    say(_counts(done), _said(done))
    if done.unreadable:
        raise typer.Exit(Exit.FINDING)


@app.command()
def retire(
    key: Annotated[str, typer.Argument(help="Id of the key, from `zena keys list`.")],
    ring: RingOption = "secret",
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
) -> None:
    """Take an old key out of its ring, for ever; --yes does it.

    Refused (65) while anything is sealed under it, and (75) in the minute
    after a rotation. What a backup still holds of it comes back with the backup.

    Example: zena keys retire 20260114-3f9c21 --yes
    """
    from zena.operate.keys import rings

    _check_there(ring)
    with_database(lambda found: rings.retire(found, ring, key, SystemClock().now(), really=yes), Role.OPS)
    if not yes:
        also = {
            "secret": "lists opened before the rotation begin anew, waits after wrong passwords end",
            "backup": "archives and exports kept elsewhere that it sealed can never be opened again",
        }
        says = f"0 things here are sealed under {key}; with it gone, {also[ring]}"
        raise CommandError(f"{says}; nothing was changed, add --yes to do it", Exit.USAGE)
    say({"ring": ring, "retired": key}, f"{key} is gone from the ring {ring}")


def _standing(found: "Settings") -> "list[Standing]":
    from zena.operate.keys import rings

    listed: list[Standing] = []
    for ring in rings.NAMES:
        if rings.path_of(found, ring).exists():  # else the first start, or the first backup, makes it
            uses = _secret_uses() if ring == "secret" else rings.backup_uses(found)
            listed += rings.standing(ring, rings.load(found, ring), uses)
    return listed


def _secret_uses() -> dict[str, dict[str, int]] | None:
    """Return what is sealed in the database; None where it does not answer: the keys are told all the same."""
    from zena.cli.shell import connected
    from zena.kit.embedded import EmbeddedError
    from zena.operate.keys.rings import secret_uses

    try:
        return asyncio.run(secret_uses(connected(Role.OPS)))
    except (EmbeddedError, OSError) as error:
        print(f"what is sealed in the database is not known: {error}", file=sys.stderr)
        return None


def _check_there(ring: "Name") -> None:
    """Refuse before a database is started for a ring that is not there."""
    from zena.operate.backup.refusal import Refused
    from zena.operate.keys.rings import load

    try:
        load(settings(), ring)
    except Refused as refused:
        raise CommandError(str(refused), refused.code) from refused


def _row(one: "Standing") -> dict[str, Any]:
    from zena.operate.keys.rings import told

    count = None if one.uses is None else sum(one.uses.values())
    named = one.key or "(names no key)"
    return {"ring": one.ring, "key": named, "state": one.state, "count": count, "sealed": told(one.uses or {}) or None}


def _counts(done: "Resealed | None") -> dict[str, int]:
    return {"seeds": done.seeds, "recovery_codes": done.codes, "unreadable": len(done.unreadable)} if done else {}


def _said(done: "Resealed") -> str:
    lost = f"; {len(done.unreadable)} people's open under no key of the ring" if done.unreadable else ""
    return f"sealed anew: {done.seeds} seeds, {done.codes} recovery codes{lost}"
