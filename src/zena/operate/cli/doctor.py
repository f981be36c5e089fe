"""`zena doctor`: every symptom of the runbook looked at now, and why what is wrong is wrong."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from zena.cli import CommandError, ask_as, say, settings
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.operate.symptoms.contract import Diagnosis, Reading, Symptom
    from zena.operate.watch.now import Seen

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback()
def doctor(
    symptom: Annotated[
        str | None, typer.Argument(help="D1, A1, A2, ...: look at one only, with every reading.")
    ] = None,
) -> None:
    """Look at every symptom now, and say what is behind those that are wrong; exit 1 if any is.

    Nothing is changed, and nothing but what was measured lately is needed. No
    data is said to be no data: it is not health.

    Example: zena doctor D1
    """
    from zena.operate.symptoms.catalogue import BY_ID, SYMPTOMS

    if symptom is not None and symptom.upper() not in BY_ID:
        raise CommandError(f"there is no symptom {symptom!r}: {', '.join(BY_ID)}", Exit.USAGE)
    wanted = SYMPTOMS if symptom is None else (BY_ID[symptom.upper()],)
    seen, silent = ask_as(Role.OPS, lambda conn: _look(conn, wanted))
    told = {"symptoms": [one.as_json() for one in seen], "detectors": silent}
    say(told, "\n".join(_lines(seen, silent, every=symptom is not None)))
    raise typer.Exit(Exit.FINDING if silent or any(one.verdict in {"wrong", "failed"} for one in seen) else Exit.OK)


async def _look(conn: "Raw", wanted: "tuple[Symptom, ...]") -> "tuple[list[Seen], list[str]]":
    from zena.cli.shell import connected
    from zena.operate.symptoms.contract import Look
    from zena.operate.watch.now import see, silent

    found, now = connected(Role.OPS), SystemClock().now()
    look = Look(conn, found, now, found.pace)
    return [await see(look, one) for one in wanted], await silent(conn, wanted, now, settings().pace)


def _lines(seen: "list[Seen]", silent: list[str], *, every: bool) -> Iterator[str]:
    for one in seen:
        yield f"{one.symptom.id:<3} {one.symptom.title:<26} {one.verdict:<8} {one.says}"
        if every:
            yield from (f"      {reading.scope or 'all':<40} {reading.says}" for reading in one.readings)
        for reading, why in one.wrong:
            yield from _why(reading, why)
    yield from (f"!!  detector {line}" for line in silent)


def _why(reading: "Reading", why: "Diagnosis") -> Iterator[str]:
    if reading.scope:
        yield f"      {reading.scope}: {reading.says}"
    for cause in why.causes[:3]:
        yield f"      {cause.confidence:>4.0%} {cause.cause}: {cause.says}"
        yield from (f"             {one.source}: {one.says}" for one in cause.evidence)
        if cause.next:
            yield f"             look: {cause.next}"
    if not why.causes:
        yield "      no cause was found"
    yield from (f"      not {name}: {reason}" for name, reason in why.ruled_out)
