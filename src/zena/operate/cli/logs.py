"""`zena logs`: the log files of every channel as one stream, and errors by what they have in common."""

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from zena.cli import CommandError, ask_as, say, settings
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.spans import length
from zena.settings import Role

if TYPE_CHECKING:
    from zena.operate.logs.reading import Line, Wanted

_EVERY = 0.25
#: How far errors are looked back on where nobody says.
_DAY = timedelta(days=1)

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback()
def logs(  # noqa: PLR0913, PLR0917 - the filters of one list
    level: Annotated[str, typer.Option(help="Least severity: debug, info, warning, error or critical.")] = "debug",
    grep: Annotated[str | None, typer.Option(help="A text in the line, in any case of letters.")] = None,
    channel: Annotated[
        list[str] | None, typer.Option(help="app, audit, security, performance or jobs; may be repeated.")
    ] = None,
    request: Annotated[str | None, typer.Option(help="One request, from X-Request-Id or an error page.")] = None,
    tenant: Annotated[UUID | None, typer.Option(help="One firm, by its id.")] = None,
    since: Annotated[str | None, typer.Option(help="How far to look back: 90s, 15min, 1h, 2d.")] = None,
    by_code: Annotated[bool, typer.Option("--by-code", help="Count errors by code and place instead.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    number: Annotated[int, typer.Option("--number", "-n", min=0, max=100_000, help="Newest lines shown.")] = 100,
) -> None:
    """Show log lines of all channels in order of time; works when the database is down.

    Exit 65 when there are no log files.

    Example: zena logs --level error --grep timeout --since 1h --follow
    """
    from zena.operate.logs.reading import Wanted, newest

    if by_code and follow:
        raise CommandError("--by-code counts what is there; leave out --follow", Exit.USAGE)
    moment = SystemClock().now() - length(since) if since else None
    wanted = Wanted(_channels(channel), _level(level), grep, request, str(tenant) if tenant else None, moment)
    if by_code:
        _by_code(wanted, number)
        return
    folder = _folder()
    lines = newest(folder, wanted, number)
    if follow:
        _follow(folder, wanted, lines)
    else:
        say(lines, "\n".join(map(_text, lines)) or "no such lines")


def _by_code(wanted: "Wanted", number: int) -> None:
    """Count from the database, which knows of all machines; from the files where they alone can tell, or are left."""
    moment = wanted.since or SystemClock().now() - _DAY
    if wanted.text or wanted.request:
        found = _from_files(wanted, moment)
    else:
        try:
            found = _from_database(wanted, moment, number)
        except CommandError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever keeps the database from answering, the files are here
            reason = " ".join(str(error).split())[:150] or type(error).__name__
            print(f"zena: counted from the log files of this machine; the database says: {reason}", file=sys.stderr)
            found = _from_files(wanted, moment)
    say(found[:number], "\n".join(map(_group, found[:number])) or f"no errors since {moment:%Y-%m-%d %H:%M}")


def _from_database(wanted: "Wanted", moment: datetime, number: int) -> list[dict[str, Any]]:
    from zena.operate.logs.groups import grouped

    channels, tenant = list(wanted.channels) or None, UUID(wanted.tenant) if wanted.tenant else None
    return ask_as(
        Role.OPS_READ,
        lambda conn: grouped(conn, moment, channels=channels, tenant=tenant, limit=number),
        timeout=5,
    )


def _from_files(wanted: "Wanted", moment: datetime) -> list[dict[str, Any]]:
    from dataclasses import replace

    from zena.operate.logs.groups import grouped_lines
    from zena.operate.logs.reading import newest

    return grouped_lines(newest(_folder(), replace(wanted, level="error", since=moment)))


def _follow(folder: Path, wanted: "Wanted", lines: "list[Line]") -> None:
    """Print until Ctrl-C, which is how this ends and no error."""
    import time
    from contextlib import suppress

    from zena.operate.logs.following import following

    with suppress(KeyboardInterrupt):
        steps = following(folder, wanted)
        next(steps)
        while True:
            for line in lines:
                say(line, _text(line))
            sys.stdout.flush()
            time.sleep(_EVERY)
            lines = next(steps)


def _folder() -> Path:
    found = settings()
    folder = found.logs_path
    if not any(folder.glob("*.log")):
        kept = " (ZENA_LOG_OUTPUT is console: lines go to standard error only)" if found.log_output == "console" else ""
        raise CommandError(f"there are no log files in {folder}{kept}", Exit.DATA)
    return folder


def _channels(given: list[str] | None) -> tuple[str, ...]:
    from zena.kit.logs.channels import CHANNELS

    named = tuple(name for word in given or [] for name in word.lower().split(",") if name)
    for name in named:
        if name not in CHANNELS:
            raise CommandError(f"there is no channel {name!r}: {', '.join(CHANNELS)}", Exit.USAGE)
    return named


def _level(given: str) -> str:
    from zena.operate.logs.reading import LEVELS

    if given.lower() not in LEVELS:
        raise CommandError(f"there is no level {given!r}: {', '.join(LEVELS)}", Exit.USAGE)
    return given.lower()


def _text(line: "Line") -> str:
    """Return a line for people: date, time, channel, then as on the console; a stack below it."""
    from zena.kit.logs.lines import as_text

    return f"{str(line['at'])[:10]} {line.get('channel') or '-':<11} {as_text(line)}"


def _group(one: dict[str, Any]) -> str:
    times = one.get("recent") or one["count"]
    total = f" of {one['count']} ever" if one.get("recent") and one["recent"] != one["count"] else ""
    seen = f"{one['first_seen']:%Y-%m-%d %H:%M} to {one['last_seen']:%Y-%m-%d %H:%M}"
    firms = len(one["tenants"])
    lines = [
        f"{times:>6}x{total}  {one['code']}  {one['what']}  at {one['place'] or '-'}  [{one['fingerprint']}]",
        f"         {seen}; {firms} {'firm' if firms == 1 else 'firms'}"
        + (f"; release {', '.join(one['releases'])}" if one["releases"] else "")
        + (f"; request {one['request_id']}" if one["request_id"] else ""),
    ]
    if one.get("message"):
        lines.append(f"         {one['message']}")
    return "\n".join(lines)
