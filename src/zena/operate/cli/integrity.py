"""`zena db check-integrity`: is the data whole? Exit 0 if it is, 1 if something was found."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from zena.cli import CommandError, in_state, say
from zena.cli.shell import require
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.state import State
    from zena.operate.integrity.finding import Finding, Report
    from zena.operate.integrity.look import Eyes

_SHOWN = 40


def check_integrity(
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what can be; without --yes, say what would be.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Rows are copied to ops.integrity_undo first.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what reads every file and every index.")] = False,
) -> None:
    """Look for orphans, wrong counters, damaged files, indexes and fences, broken audit chains.

    Example: zena db check-integrity --repair
    """
    if yes and not repair:
        raise CommandError("--yes goes with --repair; nothing was done", Exit.USAGE)
    report = in_state(lambda state: _look(state, repair=repair, yes=yes, quick=quick), worker=True)
    say(report.as_json(), "\n".join(_lines(report)))
    if repair and not yes and any(finding.repair for finding in report.findings):
        raise CommandError("nothing was changed: add --yes to do what stands in brackets", Exit.USAGE)
    raise typer.Exit(Exit.OK if report.ok else Exit.FINDING)


async def _look(state: "State", *, repair: bool, yes: bool, quick: bool) -> "Report":
    from zena.operate.integrity.look import eyes, look
    from zena.operate.integrity.store import keep

    require(state.settings, Role.OPS)
    async with eyes(state) as seen:
        report = await look(seen, quick=quick)
        if not (repair and yes and any(finding.repair for finding in report.findings)):
            await keep(seen.conn, report, "command")
            return report
        done = await _mend(seen, report)
        after = await look(seen, quick=quick)
        after.run_id, after.repaired = report.run_id, done
        await keep(seen.conn, after, "repair")
        return after


async def _mend(seen: "Eyes", report: "Report") -> list[str]:
    import getpass

    import asyncpg

    from zena.operate.integrity.mend import Busy, mend

    actor = f"{await asyncio.to_thread(getpass.getuser)} (zena db check-integrity)"
    try:
        return await mend(seen, report.findings, report.run_id, actor)
    except Busy as error:
        raise CommandError("another repair is running; nothing was changed here", Exit.RETRY) from error
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.QueryCanceledError) as error:
        raise CommandError("the rows are in use; nothing was changed, try again", Exit.RETRY) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise CommandError(f"the database refused the repair, nothing was changed: {error}", Exit.DATA) from error


def _lines(report: "Report") -> list[str]:
    seconds = (report.finished_at - report.started_at).total_seconds()
    lines = [f"repaired: {done}" for done in report.repaired]
    if report.repaired:
        lines.append(f"the rows as they were: ops.integrity_undo, run {report.run_id}")
    lines += [line for finding in report.findings[:_SHOWN] for line in _finding(finding)]
    if len(report.findings) > _SHOWN:
        lines.append(f"... and {len(report.findings) - _SHOWN} more: --json lists them")
    lines += [f"? not finished: {name}" for name in report.unfinished]
    verdict = "everything is whole" if report.ok else f"{len(report.findings)} finding(s)"
    return [*lines, f"{verdict}; {report.checks} checks in {seconds:.1f} s"]


def _finding(found: "Finding") -> list[str]:
    firm = f" of firm {found.tenant}" if found.tenant else ""
    mark = f" [{found.repair}]" if found.repair else ""
    lines = [f"! {found.check}: {found.subject}{firm}: {found.count}{mark}", *(f"    {one}" for one in found.sample)]
    if found.count > len(found.sample) > 0:
        lines.append(f"    ... {found.count - len(found.sample)} more")
    return [*lines, *([f"    -> {found.advice}"] if found.advice else [])]
