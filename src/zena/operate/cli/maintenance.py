"""`zena down`, `zena up`: closing the installation or switching changes off, and opening it again."""

from typing import TYPE_CHECKING, Annotated

import typer

from zena.cli import CommandError, ask_as, say
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.kit.maintenance import Standing
    from zena.operate.maintenance.standing import Declared

down_app = typer.Typer(invoke_without_command=True, add_completion=False)
up_app = typer.Typer(invoke_without_command=True, add_completion=False)

_LONGEST = 300


@down_app.callback()
def down(
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Let people go on reading; refuse changes only.")
    ] = False,
    message: Annotated[str, typer.Option(help="What people are told besides, such as until when.")] = "",
    retry_after: Annotated[
        int, typer.Option(min=1, max=86_400, help="Seconds after which programs may try again.")
    ] = 60,
) -> None:
    """Close the installation to everybody but operators, or switch changes off. Jobs wait until `zena up`.

    Holds over restarts, and in the database too: the app role's transactions begin read-only.

    Example: zena down --read-only --message "Back at 22:00" --retry-after 1800
    """
    from zena.kit.maintenance import Mode, Standing

    text = " ".join(message.split())
    if len(text) > _LONGEST or not text.isprintable():
        raise CommandError(f"--message: at most {_LONGEST} printable characters", Exit.USAGE)
    mode = Mode.READ_ONLY if read_only else Mode.DOWN
    _tell(_declared(Standing(mode, text, retry_after)))


@up_app.callback()
def up() -> None:
    """Open the installation again: people come in, changes are taken, jobs go on.

    Example: zena up
    """
    from zena.kit.maintenance import Standing

    _tell(_declared(Standing()))


def _declared(wanted: "Standing") -> "Declared":
    from zena.kit.changes import here
    from zena.operate.maintenance.standing import declare

    async def work(conn: "Raw") -> "Declared":
        return await declare(conn, wanted, actor=here())

    return ask_as(Role.OPS, work)


def _tell(done: "Declared") -> None:
    now = done.now
    said = {
        "up": "open: people come in, changes are taken, jobs go on",
        "read_only": "changes are switched off; reading works, jobs wait (`zena up` ends it)",
        "down": "closed to everybody but operators; jobs wait (`zena up` ends it)",
    }[now.mode]
    already = "" if done.changed else f"nothing to do, this stands since {now.since:%Y-%m-%d %H:%M} UTC: "
    cut = f"; {done.cut} transactions did not end in time and were broken off" if done.cut else ""
    data = {
        "mode": str(now.mode),
        "before": str(done.before.mode),
        "changed": done.changed,
        "since": now.since,
        "message": now.message,
        "retry_after": now.retry_after,
        "cut": done.cut,
    }
    say(data, f"{already}{said}{cut}")
