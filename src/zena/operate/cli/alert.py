"""`zena alert`: who is told of incidents, whether that works, and when it is not wanted."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, say, settings, table
from zena.cli.output import MODE
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli.spans import length
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.operate.alerts.contract import Answer, Channel

app = typer.Typer(
    help="Who is told of incidents, whether that works, and when it is not wanted.",
    no_args_is_help=True,
    add_completion=False,
)
_LONGEST = 300
_DAYS = 7
_SET_UP = "docs/operate/alerts.md says how to set one in a minute"
Symptom = Annotated[str | None, typer.Option("--symptom", help="Of this symptom only: D1, A1, A2, ...")]


@app.command("list")
def list_() -> None:
    """Show the channels, what waits to be sent, and what is muted; exit 1 where nobody would be told.

    Example: zena alert list
    """
    now, there = SystemClock().now(), settings().alert_channels

    async def read(conn: "Raw") -> dict[str, Any]:
        from zena.operate.notices import muting, standing

        return {
            "channels": await standing.channels(conn, there, now),
            "waiting": await standing.waits(conn),
            "muted": await muting.standing(conn, now),
        }

    found = ask_as(Role.OPS, read)
    _show(found)
    from zena.operate.notices.standing import is_failing

    bad = not there or any(is_failing(one) or one["given_up"] for one in found["channels"])
    raise typer.Exit(Exit.FINDING if bad else Exit.OK)


def _show(found: dict[str, Any]) -> None:
    if MODE.json:
        say(found)
        return
    if found["channels"]:
        table(
            [one | {"set": "yes" if one["set"] else "no"} for one in found["channels"]],
            ["channel", "set", "sent_at", "error_at", "error", "waiting", "given_up"],
        )
    else:
        say(None, f"nobody would be told: no channel is set; {_SET_UP}")
    if found["waiting"]:
        say(None, "\nwaiting")
        table(found["waiting"], ["incident", "symptom", "kind", "channel", "at", "attempts", "next_at", "error"])
    if found["muted"]:
        say(None, "\nmuted")
        table(
            [one | {"symptom": one["symptom"] or "all"} for one in found["muted"]],
            ["symptom", "until", "actor", "reason"],
        )


@app.command()
def mute(
    span: Annotated[str, typer.Option("--for", help="How long: 30min, 2h, 1d; a week at most.")],
    reason: Annotated[str, typer.Option(help="Why, for whoever wonders at the silence.")],
    symptom: Symptom = None,
) -> None:
    """Tell nobody for a while. Incidents are recorded all the same, and told afterwards if they are still open.

    Example: zena alert mute --for 2h --reason "moving the database" --symptom B2
    """
    from zena.kit.changes import here
    from zena.operate.notices.muting import mute as begin

    wanted, words, whom = length(span), " ".join(reason.split()), _symptom(symptom)
    if not 60 <= wanted.total_seconds() <= _DAYS * 86_400:  # noqa: PLR2004 - a minute
        raise CommandError(f"--for: from a minute to {_DAYS} days", Exit.USAGE)
    if not 1 <= len(words) <= _LONGEST or not words.isprintable():
        raise CommandError(f"--reason: 1 to {_LONGEST} printable characters", Exit.USAGE)
    now, who = SystemClock().now(), here()
    made = ask_as(Role.OPS, lambda conn: begin(conn, symptom=whom, span=wanted, reason=words, actor=who, now=now))
    say(made, f"nobody is told of {whom or 'anything'} until {made['until']:%Y-%m-%d %H:%M} UTC (`zena alert unmute`)")


@app.command()
def unmute(symptom: Symptom = None) -> None:
    """End what was muted: all of it, or that of one symptom. What is open still is told now.

    Example: zena alert unmute
    """
    from zena.kit.changes import here
    from zena.operate.notices.muting import unmute as end

    whom, now, who = _symptom(symptom), SystemClock().now(), here()
    ended = ask_as(Role.OPS, lambda conn: end(conn, symptom=whom, actor=who, now=now))
    told = ", ".join(f"{one['symptom'] or 'all'} ({one['reason']})" for one in ended)
    say(ended, f"told again: {told}" if ended else f"nothing is muted{f' of {whom} alone' if whom else ''}")


@app.command("test")
def try_(
    channel: Annotated[str | None, typer.Argument(help="slack, pagerduty, webhook, mail or mail:ADDRESS.")] = None,
) -> None:
    """Send a test notice now, and print what the other side answered; exit 1 if it was not taken.

    Needs no database. PagerDuty's alert is resolved at once.

    Example: zena alert test slack
    """
    import asyncio

    from zena.cli.shell import addressed
    from zena.kit.mail import mailer_from_url
    from zena.operate.alerts.channels import channels

    found = addressed(settings())
    smtp = found.smtp_url.get_secret_value() if found.smtp_url else None
    there = channels(found, mailer_from_url(smtp, found.mail_from or ""), SystemClock())
    if not there:
        raise CommandError(f"no channel is set; {_SET_UP}", Exit.CONFIG)
    wanted = [one for name, one in there.items() if channel in {None, name, name.partition(":")[0]}]
    if not wanted:
        raise CommandError(f"there is no channel {channel!r}: {', '.join(there)}", Exit.USAGE)
    rows = asyncio.run(_send(wanted))
    table(rows, ["channel", "where", "taken", "answer"])
    raise typer.Exit(Exit.OK if all(row["taken"] == "yes" for row in rows) else Exit.FINDING)


async def _send(wanted: "list[Channel]") -> list[dict[str, str]]:
    import asyncio

    from zena.cli.shell import addressed
    from zena.kit.ids import new_id
    from zena.operate.alerts.describing import trial_notice

    notice = trial_notice(addressed(settings()), f"test-{new_id().hex}", SystemClock().now())
    answers = await asyncio.gather(*(one.send(notice) for one in wanted))
    return [_row(one, answer) for one, answer in zip(wanted, answers, strict=True)]


def _row(channel: "Channel", answer: "Answer") -> dict[str, str]:
    taken = "yes" if answer.taken else "no"
    return {"channel": channel.name, "where": channel.where, "taken": taken, "answer": answer.says}


def _symptom(given: str | None) -> str | None:
    from zena.operate.symptoms.catalogue import BY_ID

    if given is None:
        return None
    if given.upper() not in BY_ID:
        raise CommandError(f"there is no symptom {given!r}: {', '.join(BY_ID)}", Exit.USAGE)
    return given.upper()
