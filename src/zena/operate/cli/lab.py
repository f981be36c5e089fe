"""`zena lab`: real faults in an installation made for them, and whether they are found and named."""

import asyncio
import itertools
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, say, settings, table
from zena.cli.output import MODE
from zena.kit.exits import Exit

if TYPE_CHECKING:
    from zena.operate.lab.contract import Fault
    from zena.operate.lab.trial import Outcome

app = typer.Typer(
    help="Real faults, in an installation made for them: list, inject, heal, run.",
    no_args_is_help=True,
    add_completion=False,
)
_COLUMNS = ["fault", "symptom", "cause", "found", "named", "detect", "remedy", "verdict", "recover", "others", "well"]


@app.command("list")
def list_() -> None:
    """List the faults that can be injected, with the symptom and the cause that each has to be found as.

    Example: zena lab list
    """
    from zena.operate.lab.catalogue import FAULTS

    rows = [
        {"fault": one.id, "symptom": one.symptom or "sham", "cause": one.cause, "title": one.title} for one in FAULTS
    ]
    table(rows, ["fault", "symptom", "cause", "title"])


@app.command()
def inject(
    fault: Annotated[str, typer.Argument(help="Name of the fault, from `zena lab list`.")],
    seconds: Annotated[float, typer.Option("--for", min=1, max=3600, help="Seconds until it heals by itself.")] = 60,
) -> None:
    """Break the lab that runs in the data directory, and mend it when the time is over or at Ctrl-C.

    Refused (77) unless ZENA_ENV is lab and the database's name ends in _lab.

    Example: ZENA_ENV=lab zena lab inject task-lock --for 30
    """
    from zena.operate.lab.place import NotALab, place_of

    chosen = _fault(fault)

    async def work() -> None:
        place = place_of(settings())
        async with chosen.broken(place):
            say({"fault": chosen.id, "seconds": seconds}, f"{chosen.title}: for {seconds:g} s, Ctrl-C ends it")
            await asyncio.sleep(seconds)

    try:
        asyncio.run(work())
    except NotALab as refused:
        raise CommandError(str(refused), Exit.PERMISSION) from refused
    say({"fault": chosen.id, "healed": True}, "mended")


@app.command()
def heal() -> None:
    """Undo what a lab that was killed left behind: sessions that hold locks, frozen processes, renamed columns.

    Example: ZENA_ENV=lab zena lab heal
    """
    from zena.operate.lab.catalogue import heal_all
    from zena.operate.lab.place import NotALab, place_of

    try:
        asyncio.run(heal_all(place_of(settings())))
    except NotALab as refused:
        raise CommandError(str(refused), Exit.PERMISSION) from refused
    say({"healed": True}, "every fault is taken back")


@app.command()
def run(
    faults: Annotated[list[str] | None, typer.Argument(help="Names of faults; none with --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every fault and every sham.")] = False,
    clean: Annotated[
        float | None, typer.Option(min=0.1, max=1440, help="Minutes of mixed work with no fault at all.")
    ] = None,
) -> None:
    """Make an installation in an empty folder, put each fault into it while people work, and tell what was found.

    A fault is found when its symptom is opened with its cause within 60 seconds; the remedy proposed for it is
    applied and has to help; after all everything has to close. A sham must open nothing, nor may --clean. Exit 1 if
    any row misses. Refused (77) unless ZENA_ENV is lab.

    Example: ZENA_ENV=lab zena lab run task-lock fence-off
    """
    from zena.operate.lab.catalogue import FAULTS
    from zena.operate.lab.faults.shams import MIXED
    from zena.operate.lab.place import NotALab
    from zena.operate.symptoms.catalogue import BY_ID

    if settings().env != "lab":
        raise CommandError(f"ZENA_ENV is {settings().env}: faults are put into a lab only", Exit.PERMISSION)
    if everything + bool(faults) + (clean is not None) != 1:
        raise CommandError("name faults, or --all, or --clean MINUTES", Exit.USAGE)
    chosen = list(FAULTS) if everything else [_fault(name) for name in faults or []]
    try:
        found, watching = asyncio.run(_tried(chosen) if clean is None else _tried([MIXED], clean * 60))
    except NotALab as refused:
        raise CommandError(str(refused), Exit.UNAVAILABLE) from refused
    _print(found, BY_ID.keys() if everything else {one.symptom for one in chosen if one.symptom}, watching)
    if not all(one.well for one in found):
        raise typer.Exit(Exit.FINDING)


async def _tried(chosen: "Sequence[Fault]", sham: float | None = None) -> "tuple[list[Outcome], float]":
    """Try faults, those that want it in an installation of their own; return also what watching cost."""
    from zena.operate.lab.house import house
    from zena.operate.lab.trial import SHAM, tried, watching

    outcomes, cost, able = [], 0.0, [one for one in chosen if _able(one)]
    groups = itertools.groupby(sorted(able, key=lambda one: one.fresh), lambda one: one.id if one.fresh else "")
    for _, together in groups:
        with _folder() as folder:
            async with house(folder) as (place, people):
                for fault in together:
                    _tell(f"{fault.id}: {fault.title}")
                    outcomes.append(await tried(fault, place, people, sham or SHAM))
                cost = max(cost, await watching(place))
    return outcomes, cost


def _able(fault: "Fault") -> bool:
    if fault.needs and shutil.which(fault.needs) is None:
        _tell(f"{fault.id}: NOT TRIED, this machine has no {fault.needs}")
        return False
    return True


def _print(found: "Sequence[Outcome]", symptoms: Collection[str], watching: float) -> None:
    from zena.operate.lab.summary import summed, told

    summary, rows = summed(found, symptoms, watching), [_row(one) for one in found]
    if MODE.json:
        say({"rows": rows, "summary": summary})
        return
    table(rows, _COLUMNS)
    say(summary, told(summary))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zena-lab-") as made:
        folder = Path(made)
        folder.chmod(0o711)  # the database's own user must pass through
        yield folder


def _tell(line: str) -> None:
    """Say how far it is, beside the result."""
    if not MODE.json:
        print(line, file=sys.stderr, flush=True)


def _fault(name: str) -> "Fault":
    from zena.operate.lab.catalogue import BY_ID

    if name not in BY_ID:
        raise CommandError(f"there is no fault {name}: `zena lab list` names them", Exit.USAGE)
    return BY_ID[name]


def _row(one: "Outcome") -> dict[str, Any]:
    blank = {name: None for name, value in one.as_json().items() if value == ""}
    others = ", ".join(one.others) or None
    return one.as_json() | blank | {"symptom": one.symptom or "sham", "others": others}
