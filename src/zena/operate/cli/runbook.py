"""`zena runbook`: what goes wrong, how it stands, and what can be done about it: planned, applied, measured, undone."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zena.cli import CommandError, ask_as, say, table
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.operate.cli import runbook_remedies
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.operate.symptoms.contract import Diagnosis, Reading, Symptom

app = typer.Typer(
    help="The runbook: every symptom with its causes, and remedies that are planned, applied and measured.",
    no_args_is_help=True,
    add_completion=False,
)
T = TypeVar("T")
Name = Annotated[str, typer.Argument(metavar="ID", help="D1, A1, A2, ...")]
PAGE = "docs/runbook.md"


@app.command("list")
def list_() -> None:
    """List every symptom: how it stands, when it was last open, and which remedies answer it.

    The state is what the process that watches saw last; `zena doctor` looks now.

    Example: zena runbook list
    """
    rows, known = _asked(_overview)
    table(rows, ["id", "title", "state", "last_opened", "remedies"])
    if known:
        from zena.cli.output import MODE

        if not MODE.json:
            print("\n".join(f"{name}: {told}" for name, told in sorted(known.items())))


@app.command()
def show(name: Name) -> None:
    """Show one symptom: its causes, what answers each, how often that helped, and what tempts and does harm.

    Example: zena runbook show B1
    """
    from zena.operate.remedies.catalogue import REMEDIES, proposed
    from zena.operate.remedies.runs import efficacy
    from zena.operate.remedies.twins import not_done

    symptom = _symptom(name)
    helped = _asked(efficacy)
    causes = {cause: [one.id for one in proposed(symptom.id, cause)] for cause in sorted(symptom.causes)}
    answers = [one for one in REMEDIES if symptom.id in one.symptoms]
    remedies = [
        {"id": one.id, "risk": str(one.risk), "title": one.title, "helped": helped.get(one.id)} for one in answers
    ]
    section = f"{PAGE}, {symptom.id} {symptom.title}"
    lines = [f"{symptom.id} {symptom.title}, {symptom.severity}; {section}"]
    lines += [f"  cause {cause}" + (f": {', '.join(found)}" if found else "") for cause, found in causes.items()]
    lines += [
        f"  remedy {one['id']} ({one['risk']}): {one['title']}; {one['helped'] or 'not applied yet'}\n"
        f"    zena runbook plan {one['id']}"
        for one in remedies
    ]
    refused = not_done(symptom.id)
    lines += [f"  not: {one.habit}: {one.why}\n    instead: {one.instead}" for one in refused]
    told: dict[str, Any] = {
        "id": symptom.id,
        "title": symptom.title,
        "severity": str(symptom.severity),
        "section": section,
    }
    told |= {"not_done": [{"habit": one.habit, "why": one.why, "instead": one.instead} for one in refused]}
    say(told | {"causes": causes, "remedies": remedies}, "\n".join(lines))


@app.command()
def diagnose(
    name: Name,
    scope: Annotated[str | None, typer.Option(help="One route, statement, kind of job: look behind it now.")] = None,
) -> None:
    """Look at one symptom now and say what is behind it, what is not, and which remedy to plan; exit 1 if it is wrong.

    Without --scope it looks behind what is over its limit; with it, behind that scope in any case.

    Example: zena runbook diagnose B1
    """
    symptom = _symptom(name)
    found = _asked(lambda conn: _behind(conn, symptom, scope))
    if scope is not None and not found:
        raise CommandError(f"nothing of {scope!r} was counted lately: `zena doctor {symptom.id}` shows what was")
    told = [_as_json(symptom, reading, why) for reading, why in found]
    lines = [line for reading, why in found for line in _lines(symptom, reading, why)]
    say(told, "\n".join(lines) or f"{symptom.id} {symptom.title}: nothing is over its limit now")
    raise typer.Exit(Exit.FINDING if any(reading.over for reading, _ in found) else Exit.OK)


runbook_remedies.mount(app)


async def _overview(conn: "Raw") -> tuple[list[dict[str, Any]], dict[str, str]]:
    from zena.cli.shell import connected
    from zena.operate.incidents.listing import last_opened
    from zena.operate.remedies.catalogue import REMEDIES
    from zena.operate.remedies.runs import efficacy
    from zena.operate.symptoms.catalogue import SYMPTOMS
    from zena.operate.watch.now import detectors

    last = await last_opened(conn)
    rows = []
    for one in await detectors(conn, SYMPTOMS, SystemClock().now(), connected().pace):
        state = f"{one.open} open" if one.open else "calm"
        if not one.open and one.trouble:
            state = "not watched"
        remedies = [f"{remedy.id} ({remedy.risk})" for remedy in REMEDIES if one.symptom.id in remedy.symptoms]
        rows.append({
            "id": one.symptom.id, "title": one.symptom.title, "state": state,
            "last_opened": last.get(one.symptom.id), "remedies": ", ".join(remedies) or None,
        })  # fmt: skip
    return rows, await efficacy(conn)


async def _behind(conn: "Raw", symptom: "Symptom", scope: str | None) -> "list[tuple[Reading, Diagnosis]]":
    from zena.cli.shell import connected
    from zena.operate.symptoms.contract import Look
    from zena.operate.watch.rounds import gather

    found = connected(Role.OPS)
    look = Look(conn, found, SystemClock().now(), found.pace)
    readings = await symptom.watch(look)
    if scope is None:
        readings = [one for one in gather(readings, ()) if one.over]
    return [(one, await symptom.diagnose(look, one)) for one in readings if scope in {None, one.scope}]


def _as_json(symptom: "Symptom", reading: "Reading", why: "Diagnosis") -> dict[str, Any]:
    from dataclasses import asdict

    from zena.operate.remedies.catalogue import proposed

    named = {one.cause: [remedy.id for remedy in proposed(symptom.id, one.cause)] for one in why.causes}
    return {"symptom": symptom.id, **asdict(reading), **asdict(why), "remedies": named}


def _lines(symptom: "Symptom", reading: "Reading", why: "Diagnosis") -> Iterator[str]:
    from zena.operate.remedies.catalogue import proposed

    state = {True: "wrong", False: "ok", None: "no data"}[reading.over]
    yield f"{symptom.id} {reading.scope}".strip() + f": {state}, {reading.says}"
    if not why.causes:
        yield "  no cause found"
    for cause in why.causes:
        yield f"  {cause.cause} ({cause.confidence:.0%}): {cause.says}"
        yield from (f"    {one.source}: {one.says}" for one in cause.evidence)
        commands = [f"zena runbook plan {one.id}" for one in proposed(symptom.id, cause.cause)]
        yield from (f"    -> {one}" for one in [*commands, *([cause.next] if cause.next else [])])
    yield from (f"  not {name}: {reason}" for name, reason in why.ruled_out)


def _symptom(name: str) -> "Symptom":
    from zena.operate.symptoms.catalogue import BY_ID

    if name.upper() not in BY_ID:
        raise CommandError(f"there is no symptom {name!r}: {', '.join(BY_ID)}", Exit.USAGE)
    return BY_ID[name.upper()]


def _asked(work: "Callable[[Raw], Awaitable[T]]") -> T:
    """Ask as zena_ops, once runs that nobody ends any more are ended."""

    async def both(conn: "Raw") -> T:
        from zena.cli.shell import connected
        from zena.operate.remedies.interrupted import finish_interrupted
        from zena.operate.symptoms.contract import Look

        found = connected(Role.OPS)
        await finish_interrupted(Look(conn, found, SystemClock().now(), found.pace))
        return await work(conn)

    return ask_as(Role.OPS, both)
