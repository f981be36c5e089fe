"""`zena migrate`: bringing the database to this release's schema."""

import asyncio
from typing import Annotated, Any

import typer

from zena.cli.output import say


def migrate(
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be done: revisions, statements, locks.")
    ] = False,
) -> None:
    """Bring the database to this release's schema; safe to run twice, and while the old release serves.

    Prints the revision reached, or with --plan the statements there would be and
    whom each keeps waiting. Starts the embedded database for the duration when
    none runs. Exit 69 when the database does not answer, 78 when a newer release
    has migrated it.

    Example: zena migrate --plan
    """
    from zena.cli.schema import planned, statements, upgraded
    from zena.cli.shell import hooks, require, settings
    from zena.kit.embedded.attach import attached
    from zena.settings import Role

    with attached(settings()) as found:
        require(found, Role.OWNER, Role.OPS)
        if only_plan:
            plan = asyncio.run(planned(found, hooks().migrations))
            _say_plan(plan | {"statements": statements(plan, hooks().migrations)})
            return
        before = asyncio.run(planned(found, hooks().migrations))
        asyncio.run(upgraded(found, hooks().migrations))
    done = [step["revision"] for step in before["pending"]]
    text = f"migrated to {before['head']}" if done else f"nothing to do: the database is at {before['head']}"
    say({"from": before["current"], "to": before["head"], "done": done}, text)


def _say_plan(plan: dict[str, Any]) -> None:
    lines = [f"at {plan['current'] or 'nothing'}, this release is {plan['head']}: {len(plan['pending'])} to run"]
    lines += [f"  {step['revision']}  {step['what']}" for step in plan["pending"]]
    if plan["pending"]:
        waits = [one for one in plan["statements"] if one["lock"]]
        lines += [f"  ! {one['revision']}  {one['table']}: {one['lock']}" for one in waits]
        lines.append(f"{len(plan['statements'])} statements, {len(waits)} of them keep others waiting")
        lines += [_statement(one) for one in plan["statements"]]
    say(plan, "\n".join(lines))


def _statement(one: dict[str, str]) -> str:
    lock = f"  ! {one['table']}: {one['lock']}" if one["lock"] else ""
    return f"\n-- {one['revision']}{lock}\n{one['sql']};"
